/** What a share tells while it runs: who comes, who has it whole, how much was given, and what went wrong. */
import type { Context } from "../../lib/cli/context.ts";
import { ProgressLine } from "../../lib/cli/progress.ts";
import { formatCount, formatSize, safeText } from "../../lib/cli/text.ts";
import { parseEndpoint } from "../../lib/endpoint.ts";
import { reasonOf } from "../../lib/errors.ts";
import type { MadeShare } from "./made_share.ts";
import { PeerReport } from "./peer_report.ts";
import { waitForSeedingEnd } from "./seeding_end.ts";
import type { ShareAnnounce } from "./share_tracker.ts";
import type { Transfer, TransferEvent } from "./transfer.ts";

/** Addresses that are remembered, so that each is greeted once. */
const greetedMax = 10_000;

export class ShareReport {
  readonly #context: Context;
  readonly #shares: readonly MadeShare[];
  readonly #peers: PeerReport;
  readonly #transfers: Transfer[] = [];
  readonly #greeted = new Set<string>();
  /** Peers that said that they have it whole. */
  #wholeCount = 0;

  constructor(context: Context, shares: readonly MadeShare[]) {
    this.#context = context;
    this.#shares = shares;
    this.#peers = new PeerReport(context);
  }

  add(transfer: Transfer): void {
    this.#transfers.push(transfer);
  }

  /** @param name of the share that it happened to */
  tell(event: TransferEvent, name: string): void {
    this.#peers.tell(event);
    if (event.kind !== "peerJoined" || this.#context.verbose) return;
    const visitor = `${event.endpoint.host} ${name}`;
    if (this.#greeted.has(visitor) || this.#greeted.size >= greetedMax) return;
    this.#greeted.add(visitor);
    this.#context.log(`${event.endpoint.host} takes ${safeText(name)}`);
  }

  announced({ kind, peer, infoHash }: ShareAnnounce): void {
    if (kind !== "completed") return;
    this.#wholeCount++;
    const name = this.#shares.find(({ metainfo }) => metainfo.infoHash === infoHash)?.metainfo.name ?? "";
    this.#context.event("whole", { address: peer, name: safeText(name), infoHash, count: this.#wholeCount });
    const endpoint = parseEndpoint(peer);
    this.#context.log(`${endpoint?.host ?? peer} has all of ${safeText(name)}`);
  }

  fault(error: unknown): void {
    this.#context.warn(`a request failed: ${reasonOf(error)}`);
  }

  /** Shows how it goes, each second, until somebody stops it. */
  async untilStopped(): Promise<void> {
    const progress = new ProgressLine(this.#context);
    let told = "";
    const onSecond = () => {
      const { uploadedBytes, upRate, peerCount, totalBytes } = this.#totals();
      const state = { uploadedBytes, upRate: Math.round(upRate), peers: peerCount, whole: this.#wholeCount };
      if (JSON.stringify(state) !== told) this.#context.event("progress", state);
      told = JSON.stringify(state);
      if (!this.#context.terminal.stderrIsTerminal && upRate === 0) return;
      const whole = this.#wholeCount === 0
        ? ""
        : `, ${this.#wholeCount} ${this.#wholeCount === 1 ? "has" : "have"} it whole`;
      progress.update({
        label: this.#shares.length === 1
          ? `sharing ${safeText(this.#shares[0].metainfo.name)}`
          : `sharing ${this.#shares.length}`,
        bytes: totalBytes,
        totalBytes,
        bytesPerSecond: upRate,
        peers: peerCount,
        note: `${formatSize(uploadedBytes)} given${whole}`,
      });
    };
    const bounds = { seedTimeMs: undefined, seedRatio: undefined };
    await waitForSeedingEnd(bounds, { stop: this.#context.stop, ratio: () => 0, onSecond });
    progress.finish();
  }

  tellDone(): void {
    const { uploadedBytes } = this.#totals();
    this.#context.event("done", { uploadedBytes, whole: this.#wholeCount });
    this.#context.log(`gave ${formatSize(uploadedBytes)}; ${formatCount(this.#wholeCount, "machine")} got all of it`);
  }

  #totals() {
    const all = this.#transfers.map(({ torrent }) => torrent.stats(this.#context.now()));
    const sum = (pick: (stats: typeof all[number]) => number) => all.reduce((total, stats) => total + pick(stats), 0);
    return {
      uploadedBytes: sum((stats) => stats.uploadedBytes),
      totalBytes: sum((stats) => stats.totalBytes),
      upRate: sum((stats) => stats.upRate),
      peerCount: sum((stats) => stats.peerCount),
    };
  }
}
