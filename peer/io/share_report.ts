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

/** Visitors that are remembered, so that each is told of once. */
const visitorsMax = 10_000;

export class ShareReport {
  readonly #context: Context;
  readonly #shares: readonly MadeShare[];
  readonly #peers: PeerReport;
  readonly #transfers: Transfer[] = [];
  /** Address and share of who came, and of who said that he has it whole. */
  readonly #greeted = new Set<string>();
  readonly #whole = new Set<string>();

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

  changed({ metainfo: { name, infoHash } }: MadeShare): void {
    this.#context.event("changed", { name: safeText(name), infoHash });
    this.#context.warn(`${safeText(name)} has changed: end this with Ctrl-C and share it again`);
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
      const state = { uploadedBytes, upRate: Math.round(upRate), peers: peerCount, whole: this.#whole.size };
      if (JSON.stringify(state) !== told) this.#context.event("progress", state);
      told = JSON.stringify(state);
      if (!this.#context.terminal.stderrIsTerminal && upRate === 0) return;
      const whole = this.#whole.size === 0
        ? ""
        : `, ${this.#whole.size} ${this.#whole.size === 1 ? "has" : "have"} it whole`;
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
    this.#context.event("done", { uploadedBytes, whole: this.#whole.size });
    this.#context.log(`gave ${formatSize(uploadedBytes)}; ${formatCount(this.#whole.size, "machine")} got all of it`);
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
