/**
 * `localbt demo`: a whole swarm in one process on loopback: create, a tracker, seeders that each hold only some pieces,
 * one download that takes the rarest first from all of them, verify.
 *
 * Everything is real: the commands, the sockets, the files in a temporary folder that is removed at the end. The tracker
 * is handed in by main.ts, since peer and tracker meet only in lib.
 */
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { Bitfield } from "../../lib/bitfield.ts";
import { type Command, command, count, rate } from "../../lib/cli/args.ts";
import type { Context } from "../../lib/cli/context.ts";
import { summaries } from "../../lib/cli/summaries.ts";
import { formatCount, formatDuration, formatRate, formatSize, safeText } from "../../lib/cli/text.ts";
import { ExitCode, UserError } from "../../lib/errors.ts";
import type { PieceIndex } from "../../lib/ids.ts";
import { diskError } from "../../lib/io/disk_error.ts";
import type { Network } from "../../lib/io/network.ts";
import { readTorrentFile } from "../../lib/io/torrent_file.ts";
import { KiB } from "../../lib/limits/units.ts";
import type { Metainfo } from "../../lib/metainfo.ts";
import { type DemoRow, DemoScreen, mapPlaces, pieceMap } from "./demo_screen.ts";
import { copyTree, dealPieces, layOut, treeSize } from "./demo_swarm.ts";
import { Session } from "./session.ts";
import type { Transfer, TransferEvent } from "./transfer.ts";

/** The tracker of the demo, as far as the demo looks at it. */
export interface DemoTracker {
  readonly announceUrls: readonly string[];
  readonly stats: { readonly peers: number };
  close(): Promise<void>;
}

/** Starts a tracker. @throws UserError when it cannot listen */
export type StartTracker = (options: {
  network: Network;
  host: string;
  port: number;
  intervalMs: number;
  now(): number;
  random(): number;
}) => DemoTracker;

const loopback = "127.0.0.1";
/** The sample that comes with the source, and inside the compiled program. */
const sample = fileURLToPath(new URL("../../data/sample", import.meta.url));
/** Copies of the sample that are shared: enough that the pieces are not all asked for in the first moment. */
const sampleCopies = 4;
const paintMs = 100;
/** Milliseconds without any new piece after which the demo gives up. */
const stallMs = 30_000;

/** The `demo` command. @param startTracker makes the tracker that introduces the peers */
export function makeDemoCommand(startTracker: StartTracker): Command {
  return command({
    name: "demo",
    summary: summaries.demo,
    operands: "[file or folder]",
    options: {
      seeders: count({ value: "N", help: "seeders, which each hold only some pieces", min: 2, max: 20, default: 5 }),
      uploadLimit: rate({
        value: "RATE",
        help: "bytes a second that each seeder gives",
        min: 1 * KiB,
        default: 256 * KiB,
        defaultText: "256K",
      }),
    },
    examples: ["localbt demo", "localbt demo --seeders 8 --upload-limit 1M holiday"],
    async run(context, { seeders, uploadLimit }, [source]) {
      const folder = await Deno.makeTempDir({ prefix: "localbt-demo-" });
      const demo = new Demo({ context, folder, seederCount: seeders, uploadLimit, startTracker });
      try {
        return await demo.run(source);
      } finally {
        await demo.close();
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

/** A seeder at work. */
interface DemoSeeder {
  readonly name: string;
  readonly have: Bitfield;
  readonly transfer: Transfer;
}

interface DemoOptions {
  readonly context: Context;
  /** Empty, and ours. */
  readonly folder: string;
  readonly seederCount: number;
  readonly uploadLimit: number;
  readonly startTracker: StartTracker;
}

/** One run of the demo. */
class Demo {
  readonly #options: DemoOptions;
  readonly #context: Context;
  /** For the commands that the demo runs: they are silent, and the demo tells what they did. */
  readonly #silent: Context;
  readonly #screen: DemoScreen;
  readonly #closers: (() => Promise<void>)[] = [];

  constructor(options: DemoOptions) {
    this.#options = options;
    const { context } = options;
    this.#context = context;
    this.#screen = new DemoScreen(context);
    const nothing = () => {};
    this.#silent = { ...context, json: false, quiet: true, out: nothing, log: nothing, warn: nothing, event: nothing };
  }

  async run(source: string | undefined): Promise<ExitCode> {
    const data = await this.#copySource(source);
    const tracker = this.#startTracker();
    const metainfo = await this.#create(data, tracker.announceUrls[0]);
    this.#tell("tracker", tracker.announceUrls[0], { announceUrl: tracker.announceUrls[0] });
    const seeders = await this.#startSeeders(metainfo);
    await this.#until(() => tracker.stats.peers >= seeders.length, "the seeders to reach the tracker");
    const path = await this.#download(metainfo, seeders);
    const code = await this.#verify(path);
    await this.close();
    return code;
  }

  /** Ends all that was started, the last first. */
  async close(): Promise<void> {
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) await close();
  }

  #step = 0;

  #tell(step: string, words: string, fields: Record<string, unknown> = {}): void {
    this.#screen.tell(`${++this.#step}. ${step.padEnd(9)} ${safeText(words)}`);
    this.#context.event(step, fields);
  }

  /** A copy of what is shared: the sample may be inside the program, where no other command can read it. */
  async #copySource(source: string | undefined): Promise<string> {
    const whole = `${this.#options.folder}/whole`;
    await Deno.mkdir(whole);
    const to = `${whole}/${source === undefined ? "sample" : basename(source)}`;
    const from = source ?? sample;
    try {
      if (source !== undefined) await copyTree(from, to);
      else {
        await Deno.mkdir(to);
        for (let copy = 1; copy <= sampleCopies; copy++) await copyTree(from, `${to}/copy ${copy}`);
      }
    } catch (error) {
      throw diskError("read", from, error);
    }
    return to;
  }

  #startTracker(): DemoTracker {
    const { network, now, random } = this.#context;
    const tracker = this.#options.startTracker({ network, host: loopback, port: 0, intervalMs: 60_000, now, random });
    this.#closers.push(() => tracker.close());
    return tracker;
  }

  get #torrent(): string {
    return `${this.#options.folder}/demo.torrent`;
  }

  async #create(data: string, announceUrl: string): Promise<Metainfo> {
    const { createCommand } = await import("./create_command.ts");
    const totalBytes = await treeSize(data);
    let pieceLength = 16 * KiB;
    while (totalBytes / pieceLength > mapPlaces) pieceLength *= 2;
    await createCommand.run(this.#silent, [
      `--announce=${announceUrl}`,
      `--output=${this.#torrent}`,
      `--piece-length=${pieceLength}`,
      "--no-date",
      "--",
      data,
    ]);
    const metainfo = await readTorrentFile(this.#torrent);
    const { pieceCount, totalLength, infoHash, files } = metainfo;
    const pieces = `${formatCount(pieceCount, "piece")} of ${formatSize(pieceLength)}`;
    const words = `${formatCount(files.length, "file")}, ${formatSize(totalLength)}: ${pieces}, info hash ${infoHash}`;
    this.#tell("create", words, { infoHash, pieceCount, pieceLength, totalLength });
    return metainfo;
  }

  async #startSeeders(metainfo: Metainfo): Promise<DemoSeeder[]> {
    const { folder, seederCount, uploadLimit } = this.#options;
    const hands = dealPieces(metainfo.pieceCount, seederCount, () => this.#context.random());
    this.#tell("seed", `${seederCount} seeders, each with only some of the pieces, ${formatRate(uploadLimit)} each`);
    const seeders: DemoSeeder[] = [];
    for (const [i, hand] of hands.entries()) {
      const to = `${folder}/seeder-${i + 1}`;
      await layOut(metainfo, { hand, from: `${folder}/whole`, to });
      const session = this.#openSession(uploadLimit);
      // It finds out by hashing which pieces it has, as `localbt seed` does.
      const opened = await session.open(metainfo, { directory: to, mode: "seed" });
      const transfer = session.start({ ...opened, strategy: "rarest-first", isSeedOnly: true, onEvent: () => {} });
      const name = `seeder ${i + 1}`;
      seeders.push({ name, have: opened.have, transfer });
      const { havePieces } = transfer.torrent.stats(this.#context.now());
      this.#screen.tell(`   ${name.padEnd(10)}  ${pieceMap(opened.have)}  ${havePieces} of ${metainfo.pieceCount}`);
      this.#context.event("seeder", { name, port: session.engine.port, havePieces, pieceCount: metainfo.pieceCount });
    }
    return seeders;
  }

  #openSession(uploadLimit: number | undefined): Session {
    const session = new Session({
      context: this.#silent,
      host: loopback,
      port: 0,
      uploadLimit,
      downloadLimit: undefined,
      maxPeers: undefined,
      noDiscovery: true,
    });
    this.#closers.push(() => session.close());
    return session;
  }

  /** Downloads to the end and shows it. @returns the folder that holds the copy */
  async #download(metainfo: Metainfo, seeders: readonly DemoSeeder[]): Promise<string> {
    const directory = `${this.#options.folder}/download`;
    await Deno.mkdir(directory);
    this.#tell("download", "the rarest pieces first, from all seeders at once");
    const begunAt = this.#context.now();
    const session = this.#openSession(undefined);
    const opened = await session.open(metainfo, { directory, mode: "download" });
    const have = opened.have.clone();
    const order: PieceIndex[] = [];
    let failure: unknown;
    const onEvent = (event: TransferEvent) => {
      if (event.kind === "failed") failure = event.error;
      if (event.kind !== "pieceDone") return;
      order.push(event.piece);
      have.set(event.piece);
      this.#context.event("piece", { piece: event.piece });
    };
    const transfer = session.start({ ...opened, strategy: "rarest-first", isSeedOnly: false, onEvent });
    const rowOf = (peer: DemoSeeder): DemoRow => ({ ...peer, stats: peer.transfer.torrent.stats(this.#context.now()) });
    const paint = (show: "paint" | "finish") => {
      this.#screen[show](seeders.map(rowOf), rowOf({ name: "downloader", have, transfer }));
    };
    const painter = setInterval(() => paint("paint"), paintMs);
    try {
      await this.#until(
        () => {
          if (failure !== undefined) throw failure;
          return transfer.torrent.isComplete;
        },
        "a piece to come",
        () => order.length,
      );
    } finally {
      clearInterval(painter);
      paint("finish");
    }
    this.#tellOrder(order, seeders, this.#context.now() - begunAt);
    return directory;
  }

  /** Shows that the rare pieces came first. */
  #tellOrder(order: readonly PieceIndex[], seeders: readonly DemoSeeder[], ms: number): void {
    this.#screen.tell(`   done in ${formatDuration(ms)}`);
    const places = new Map<number, number[]>();
    order.forEach((piece, place) => {
      const holders = seeders.filter(({ have }) => have.has(piece)).length;
      places.set(holders, [...places.get(holders) ?? [], place + 1]);
    });
    for (const holders of [...places.keys()].sort((a, b) => a - b)) {
      const those = places.get(holders)!;
      const middle = Math.round(those.reduce((sum, place) => sum + place, 0) / those.length);
      const words = `${formatCount(those.length, "piece")} that ${formatCount(holders, "seeder")} had`;
      this.#screen.tell(`   ${words.padEnd(29)} came, on average, as number ${middle} of ${order.length}`);
    }
  }

  async #verify(directory: string): Promise<ExitCode> {
    const { verifyCommand } = await import("./verify_command.ts");
    const code = await verifyCommand.run(this.#silent, [`--data=${directory}`, this.#torrent]);
    const isWhole = code === ExitCode.done;
    this.#tell("verify", isWhole ? "every piece of the copy is right" : "the copy is not right", { isWhole });
    this.#context.event("done", { isWhole });
    return code;
  }

  /**
   * Waits until something is true.
   *
   * @param measure grows while there is progress
   * @throws the reason of `stop`; UserError (1) when nothing moves for too long
   */
  async #until(isTrue: () => boolean, what: string, measure: () => number = () => 0): Promise<void> {
    let [moved, movedAt] = [measure(), this.#context.now()];
    while (!isTrue()) {
      this.#context.stop.throwIfAborted();
      if (measure() !== moved) [moved, movedAt] = [measure(), this.#context.now()];
      if (this.#context.now() - movedAt > stallMs) {
        throw new UserError("finish the demo", `it waited ${formatDuration(stallMs)} for ${what}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
