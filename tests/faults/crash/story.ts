/**
 * One download of a folder whose program is killed again and again, and what must hold at each kill:
 *
 * - of a piece that is whole on the disk no block is asked for again, whatever the resume file knew of it;
 * - so what is fetched twice are the blocks of pieces that were under way, and these are counted;
 * - no piece is said to be had that is not whole on the disk.
 */
import { wordsFrom } from "../../interop/payload.ts";
import { Child } from "../../interop/child.ts";
import { eventsOf, localbtCommand } from "../../interop/localbt.ts";
import { CountingSeeder, type RunBook } from "./counting_seeder.ts";
import { faultsOf, type OddFolder } from "./odd_folder.ts";
import { StoredPieces } from "./stored_pieces.ts";

/** When a program is killed. */
export type Moment = "at a time" | "after a block" | "while it stops" | "while it writes its resume file";

export interface StoryResult {
  /** Kills by what the program was doing. */
  readonly kills: ReadonlyMap<string, number>;
  readonly killCount: number;
  /** Bytes that were given more than once. */
  readonly repeatedBytes: number;
  /** The most bytes of one kill among them. */
  readonly worstBytes: number;
  /** Bytes whose pieces had been given whole, but were not yet on the disk. */
  readonly unwrittenBytes: number;
}

export interface StoryOptions {
  readonly folder: OddFolder;
  readonly torrent: string;
  /** Where it is downloaded to. */
  readonly target: string;
  readonly killCount: number;
  readonly seed: number;
  /** More arguments of `download`. */
  readonly args?: readonly string[];
  /** Not all of the folder is downloaded with them. */
  readonly isPart?: boolean;
  /** Milliseconds from the start of the program to its first request, about. */
  readonly startMs: number;
  readonly onKill?: (killCount: number) => void;
}

const deadlineMs = 60_000;
const blockLength = 16_384;

/** A number in [0, 1), from a seed. */
function diceOf(seed: number): () => number {
  const next = wordsFrom(seed);
  return () => next() / 2 ** 32;
}

export class Story {
  readonly #options: StoryOptions;
  readonly #random: () => number;
  readonly #seeder: CountingSeeder;
  readonly #disk: StoredPieces;
  /** Pieces that were whole on the disk at the last kill. */
  readonly #stored: Set<number>;
  readonly #kills = new Map<string, number>();
  #killCount = 0;
  /** Bytes that were on the disk at the beginning. */
  readonly #foundBytes: number;
  #givenBytes = 0;
  #lostBytes = 0;
  #worstBytes = 0;
  #unwrittenBytes = 0;

  private constructor(options: StoryOptions, seeder: CountingSeeder) {
    this.#options = options;
    this.#random = diceOf(options.seed);
    this.#seeder = seeder;
    this.#disk = new StoredPieces(options.folder, options.target);
    this.#stored = new Set(this.#disk.among(options.folder.hashes.keys()));
    this.#foundBytes = [...this.#stored].reduce((sum, piece) => sum + lengthOf(options.folder, piece), 0);
  }

  /** @throws where anything does not hold */
  static async play(options: StoryOptions): Promise<StoryResult> {
    const { infoHash, content, pieceLength } = options.folder;
    await using seeder = new CountingSeeder({ infoHash, content, pieceLength });
    const story = new Story(options, seeder);
    while (story.#killCount < options.killCount) await story.#run();
    await story.#finish();
    return {
      kills: story.#kills,
      killCount: story.#killCount,
      repeatedBytes: story.#lostBytes,
      worstBytes: story.#worstBytes,
      unwrittenBytes: story.#unwrittenBytes,
    };
  }

  /** One start of the program, and its kill. */
  async #run(): Promise<void> {
    const { killCount, folder, isPart, onKill } = this.#options;
    const wantedBytes = isPart ? folder.content.length / 3 : folder.content.length;
    const leftBlocks = (wantedBytes - this.#stored.size * folder.pieceLength) / blockLength;
    const share = Math.max(1, leftBlocks / (killCount - this.#killCount + 2));
    const blocks = 1 + Math.floor(2 * share * this.#random());
    let onGiven: (count: number) => void = () => {};
    const book = this.#seeder.begin({ blocks, blockMs: 1, onGiven: (count) => onGiven(count) });
    const child = this.#start();
    const moment = this.#chooseMoment();
    const due = Promise.withResolvers<void>();
    onGiven = (count) => {
      if (count >= blocks) due.resolve();
    };
    await this.#await(moment, child, due.promise);
    const { stopped } = await this.#kill(child, moment);
    if (!stopped) {
      this.#count(this.#phaseOf(child, book, moment));
      onKill?.(this.#killCount);
    }
    this.#judge(child, book);
  }

  #start(): Child {
    const { torrent, target, args = [] } = this.#options;
    const command = [
      ...localbtCommand(),
      ...["download", torrent, "--output", target, "--peer", this.#seeder.endpoint, "--port", "0", "--json"],
      ...["--host", "127.0.0.1", "--no-discovery", ...args],
    ];
    return new Child({ name: "the killed download", command });
  }

  #chooseMoment(): Moment {
    const die = this.#random();
    if (die < 0.25) return "at a time";
    if (die < 0.35) return "while it stops";
    if (die < 0.45) return "while it writes its resume file";
    return "after a block";
  }

  async #await(moment: Moment, child: Child, lastBlock: Promise<void>): Promise<void> {
    const { startMs, target } = this.#options;
    const ended = child.status.then(() => {});
    if (moment === "at a time") {
      await Promise.race([pause(1.2 * startMs * this.#random()), ended]);
    } else if (moment === "while it writes its resume file") {
      await Promise.race([written(target, ended), ended]);
    } else {
      await within(Promise.race([lastBlock, ended]), deadlineMs);
      await pause(6 * this.#random() ** 2);
    }
  }

  /** @returns whether it had ended by itself, as it was told to, before the kill */
  async #kill(child: Child, moment: Moment): Promise<{ stopped: boolean }> {
    if (moment === "while it stops") {
      child.signal("SIGTERM");
      await Promise.race([pause(60 * this.#random()), child.status]);
    }
    child.signal("SIGKILL");
    const { signal, code } = await child.exit(deadlineMs);
    if (signal === "SIGKILL") return { stopped: false };
    if (moment === "while it stops" && code === 143) return { stopped: true };
    throw child.failure("ended by itself");
  }

  #phaseOf(child: Child, book: RunBook, moment: Moment): string {
    if (moment === "while it stops" || moment === "while it writes its resume file") return moment;
    if (eventsOf(child, "start").length === 0) return "while it starts and checks";
    return book.givenCount === 0 ? "while it connects" : "while it fetches";
  }

  #count(phase: string): void {
    this.#killCount++;
    this.#kills.set(phase, (this.#kills.get(phase) ?? 0) + 1);
  }

  #judge(child: Child, book: RunBook): void {
    const again = [...book.askedPieces].filter((piece) => this.#stored.has(piece));
    if (again.length > 0) throw this.#fault(child, `pieces ${again} were on the disk and are asked for again`);
    if (book.repeated.length > 0) throw this.#fault(child, `blocks ${book.repeated} were asked for twice in one run`);
    const start = eventsOf(child, "start")[0];
    if (start !== undefined && start.havePieces !== this.#stored.size) {
      throw this.#fault(child, `it found ${start.havePieces} pieces, where ${this.#stored.size} are on the disk`);
    }
    for (const piece of this.#disk.among(book.given.keys())) this.#stored.add(piece);
    const claims = [...book.claimed, ...eventsOf(child, "piece").map(({ piece }) => Number(piece))];
    const untrue = claims.filter((piece) => !this.#stored.has(piece));
    if (untrue.length > 0) throw this.#fault(child, `it said that it has ${untrue}, which are not on the disk`);
    this.#weigh(book);
  }

  /** What of this run was lost. */
  #weigh(book: RunBook): void {
    let lostBytes = 0;
    for (const [piece, begins] of book.given) {
      if (this.#stored.has(piece)) continue;
      const length = lengthOf(this.#options.folder, piece);
      const given = [...begins].reduce((sum, begin) => sum + Math.min(blockLength, length - begin), 0);
      lostBytes += given;
      if (given === length) this.#unwrittenBytes += given;
    }
    this.#givenBytes += book.givenBytes;
    this.#lostBytes += lostBytes;
    this.#worstBytes = Math.max(this.#worstBytes, lostBytes);
  }

  /** The last run is left in peace; `verify` has to agree with what it says. */
  async #finish(): Promise<void> {
    const { folder, torrent, target, isPart } = this.#options;
    const book = this.#seeder.begin({ blocks: Infinity });
    const child = this.#start();
    const { code } = await child.exit(deadlineMs);
    this.#judge(child, book);
    if (code !== 0) throw child.failure("did not finish");
    if (isPart) return;
    const verify = new Child({ name: "verify", command: [...localbtCommand(), "verify", "-d", target, torrent] });
    if ((await verify.exit(deadlineMs)).code !== 0) throw verify.failure("found a fault");
    const faults = faultsOf(folder, target);
    if (faults.length > 0) throw this.#fault(child, faults.join("; "));
    if (this.#givenBytes !== folder.content.length - this.#foundBytes + this.#lostBytes) {
      throw this.#fault(child, `${this.#givenBytes} bytes were given, ${this.#lostBytes} of them lost`);
    }
  }

  #fault(child: Child, what: string): Error {
    return child.failure(`seed ${this.#options.seed}, after ${this.#killCount} kills: ${what}`);
  }
}

function lengthOf({ content, pieceLength }: OddFolder, piece: number): number {
  return Math.min(pieceLength, content.length - piece * pieceLength);
}

/** Waits for the promise, but not for ever. */
async function within(promise: Promise<unknown>, ms: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, ms);
  await Promise.race([promise, late.promise]);
  clearTimeout(timer);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until a resume file is begun in the folder. */
async function written(folder: string, ended: Promise<void>): Promise<void> {
  using watcher = Deno.watchFs(folder, { recursive: false });
  ended.then(() => watcher.close()).catch(() => {});
  for await (const { paths } of watcher) if (paths.some((path) => path.endsWith(".tmp"))) return;
}
