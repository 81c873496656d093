/** What a share tells while it runs: who comes, who has it whole, how much was given, and what went wrong. */
import type { Context } from "../../lib/cli/context.ts";
import { clipText, formatCount, formatRate, formatSize, safeText, widthOfText } from "../../lib/cli/text.ts";
import { parseEndpoint } from "../../lib/endpoint.ts";
import { reasonOf } from "../../lib/errors.ts";
import { visitorsMax } from "../../lib/limits/shares.ts";
import type { Metainfo } from "../../lib/metainfo.ts";
import type { MadeShare } from "./made_share.ts";
import { PeerReport } from "./peer_report.ts";
import { waitForSeedingEnd } from "./seeding_end.ts";
import type { Session } from "./session.ts";
import type { ShareAnnounce } from "./share_tracker.ts";
import type { Transfer, TransferEvent } from "./transfer.ts";

/** How it goes. */
interface ShareProgress {
  readonly uploadedBytes: number;
  /** Bytes a second. */
  readonly upRate: number;
  readonly peers: number;
  readonly whole: number;
}

/** Milliseconds between two lines where stderr is no terminal. */
const plainLineMs = 5_000;

/** One line that is painted over on a terminal, and told now and then elsewhere. */
class StatusLine {
  readonly #context: Context;
  #shown = "";
  #shownAt = -Infinity;

  constructor(context: Context) {
    this.#context = context;
  }

  /** @param isNews whether it is worth a line of its own */
  show(text: string, isNews: boolean): void {
    const { terminal, quiet } = this.#context;
    if (quiet) return;
    const now = this.#context.now();
    if (!terminal.stderrIsTerminal) {
      if (!isNews || now - this.#shownAt < plainLineMs) return;
      this.#context.log(text);
    } else {
      const columns = Math.max(1, terminal.columns() - 1);
      const clipped = clipText(text, columns);
      const padding = " ".repeat(Math.max(0, columns - widthOfText(clipped)));
      this.#context.err(terminal.color ? `\r\x1b[K${clipped}` : `\r${clipped}${padding}`);
    }
    this.#shown = text;
    this.#shownAt = now;
  }

  end(): void {
    if (this.#context.terminal.stderrIsTerminal && this.#shown !== "") this.#context.err("\n");
  }
}

export class ShareReport {
  readonly #context: Context;
  readonly #shares: readonly MadeShare[];
  readonly #peers: PeerReport;
  readonly #transfers: Transfer[] = [];
  /** Address and share of who came, and of who said that he has it whole. */
  readonly #greeted = new Set<string>();
  readonly #whole = new Set<string>();
  readonly #changed = new Set<string>();

  constructor(context: Context, shares: readonly MadeShare[]) {
    this.#context = context;
    this.#shares = shares;
    this.#peers = new PeerReport(context);
  }

  add(transfer: Transfer): void {
    this.#transfers.push(transfer);
  }

  /** @param metainfo of the share that it happened to */
  tell(event: TransferEvent, metainfo: Metainfo): void {
    const { name } = metainfo;
    this.#peers.tell(event);
    if (event.kind === "fileWrong") this.changed({ metainfo });
    if (event.kind !== "peerJoined" || this.#context.verbose) return;
    const visitor = `${event.endpoint.host} ${name}`;
    if (this.#greeted.has(visitor) || this.#greeted.size >= visitorsMax) return;
    this.#greeted.add(visitor);
    this.#context.log(`${event.endpoint.host} takes ${safeText(name)}`);
  }

  announced({ kind, peer, infoHash }: ShareAnnounce): void {
    const host = parseEndpoint(peer)?.host ?? peer;
    const visitor = `${host} ${infoHash}`;
    if (kind !== "completed" || this.#whole.has(visitor) || this.#whole.size >= visitorsMax) return;
    this.#whole.add(visitor);
    const name = this.#shares.find(({ metainfo }) => metainfo.infoHash === infoHash)?.metainfo.name ?? "";
    this.#context.event("whole", { address: peer, name: safeText(name), infoHash, count: this.#whole.size });
    this.#context.log(`${host} has all of ${safeText(name)}`);
  }

  /** Said once of each: what others take is not what is there. */
  changed({ metainfo: { name, infoHash } }: Pick<MadeShare, "metainfo">): void {
    if (this.#changed.has(infoHash)) return;
    this.#changed.add(infoHash);
    this.#context.event("changed", { name: safeText(name), infoHash });
    this.#context.warn(`${safeText(name)} has changed: end this with Ctrl-C and share it again`);
  }

  fault(error: unknown): void {
    this.#context.warn(`a request failed: ${reasonOf(error)}`);
  }

  /** Shows how it goes, each second, until somebody stops it. */
  async untilStopped(): Promise<void> {
    const line = new StatusLine(this.#context);
    let told = "";
    const onSecond = () => {
      const totals = this.#totals();
      const { uploadedBytes, peerCount } = totals;
      const upRate = Math.round(totals.upRate);
      const state = { uploadedBytes, upRate, peers: peerCount, whole: this.#whole.size };
      if (JSON.stringify(state) !== told) this.#context.event("progress", state);
      told = JSON.stringify(state);
      line.show(this.#describe(state), upRate > 0);
    };
    const bounds = { seedTimeMs: undefined, seedRatio: undefined };
    await waitForSeedingEnd(bounds, { stop: this.#context.stop, ratio: () => 0, onSecond });
    line.end();
  }

  /** `sharing holiday: 2 take it, 12.5 MiB/s; 3 have it whole; 57 MiB given`. */
  #describe({ uploadedBytes, upRate, peers, whole }: ShareProgress): string {
    const [first] = this.#shares;
    const what = this.#shares.length === 1 ? safeText(first.metainfo.name) : `${this.#shares.length} things`;
    const takes = peers === 0 ? "nobody takes it now" : `${formatCount(peers, "peer")}, ${formatRate(upRate)}`;
    const have = whole === 0 ? "" : `; ${whole} ${whole === 1 ? "has" : "have"} it whole`;
    return `sharing ${what}: ${takes}${have}${uploadedBytes === 0 ? "" : `; ${formatSize(uploadedBytes)} given`}`;
  }

  /** What the peer refused so far, by reason. */
  refused(session: Session): Record<string, number> {
    return session.refused(this.#transfers);
  }

  tellDone(session: Session): void {
    const { uploadedBytes } = this.#totals();
    this.#context.event("done", { uploadedBytes, whole: this.#whole.size, refused: this.refused(session) });
    this.#context.log(`gave ${formatSize(uploadedBytes)}; ${formatCount(this.#whole.size, "machine")} got all of it`);
  }

  #totals() {
    const all = this.#transfers.map(({ torrent }) => torrent.stats(this.#context.now()));
    const sum = (pick: (stats: typeof all[number]) => number) => all.reduce((total, stats) => total + pick(stats), 0);
    return {
      uploadedBytes: sum((stats) => stats.uploadedBytes),
      upRate: sum((stats) => stats.upRate),
      peerCount: sum((stats) => stats.peerCount),
    };
  }
}
