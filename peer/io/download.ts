/** One download of `download` or `get`: from the opened data to the last piece, and what is said on the way. */
import type { Context } from "../../lib/cli/context.ts";
import { ProgressLine } from "../../lib/cli/progress.ts";
import { formatDuration, formatRate, formatSize, safeText } from "../../lib/cli/text.ts";
import { ExitCode, reasonOf, UserError } from "../../lib/errors.ts";
import type { Metainfo } from "../../lib/metainfo.ts";
import type { FileSelection } from "../file_selection.ts";
import type { PickStrategy } from "../piece_picker.ts";
import type { MetadataTask } from "./metadata_task.ts";
import { describeSelection } from "./file_choice.ts";
import { PeerReport } from "./peer_report.ts";
import { type SeedingBounds, waitForSeedingEnd } from "./seeding_end.ts";
import type { OpenTorrent, Session } from "./session.ts";
import type { Storage } from "./storage.ts";
import type { Transfer, TransferEvent } from "./transfer.ts";

/** Milliseconds between two looks at the transfer: progress, and whether it still moves. */
const lookMs = 100;
/** Milliseconds between two `progress` events. */
const eventMs = 1_000;

/** Milliseconds that the disk may take at the end without a word. */
const slowDiskMs = 1_500;

/** A download under way, and what is said about it. */
export class Download {
  readonly transfer: Transfer;
  readonly #context: Context;
  readonly #metainfo: Metainfo;
  readonly #storage: Storage;
  readonly #startedAt: number;
  readonly #report: PeerReport;
  /** All is there, verified, and on the disk itself. */
  isWhole = false;
  readonly #session: Session;
  readonly #ended = Promise.withResolvers<void>();
  readonly #path: string;

  static async begin(
    context: Context,
    session: Session,
    metainfo: Metainfo,
    { output, noResume, strategy, selection }: {
      output: string;
      noResume: boolean;
      strategy: PickStrategy;
      selection: FileSelection;
    },
    fetched?: MetadataTask,
  ): Promise<Download> {
    const opened = await session.open(metainfo, { directory: output, mode: "download", selection, resume: !noResume });
    return new Download(
      { context, session },
      opened,
      output,
      (onEvent) => session.start({ ...opened, strategy, isSeedOnly: false, fetched, onEvent }),
    );
  }

  private constructor(
    { context, session }: { context: Context; session: Session },
    { metainfo, storage, selection }: OpenTorrent,
    directory: string,
    start: (onEvent: (event: TransferEvent) => void) => Transfer,
  ) {
    this.#context = context;
    this.#session = session;
    this.#metainfo = metainfo;
    this.#storage = storage;
    this.#startedAt = context.now();
    this.#report = new PeerReport(context);
    this.#path = `${directory}/${safeText(metainfo.name)}`;
    this.#ended.promise.catch(() => {});
    this.transfer = start((event) => this.#onEvent(event));
    const { havePieces, pieceCount, haveBytes, totalBytes } = this.#stats();
    const { infoHash } = metainfo;
    const name = safeText(metainfo.name);
    context.event("start", { name, infoHash, path: this.#path, havePieces, pieceCount, haveBytes, totalBytes });
    if (selection?.isAll === false) context.log(describeSelection(metainfo, selection));
    if (haveBytes > 0) context.log(`${formatSize(haveBytes)} of ${formatSize(totalBytes)} are there already`);
    if (this.transfer.torrent.isComplete) this.transfer.settle();
  }

  /**
   * Waits for the last piece; returns early when the person stops it.
   *
   * @param whenWhole what is still to be done before anybody hears that all is there
   * @throws UserError (5) when nothing comes
   */
  async finish(
    { timeoutMs, whenWhole }: { timeoutMs: number | undefined; whenWhole: () => Promise<void> },
  ): Promise<void> {
    const progress = new ProgressLine(this.#context);
    const looking = setInterval(() => this.#look(progress, timeoutMs), lookMs);
    const onStop = () => this.#ended.resolve();
    this.#context.stop.addEventListener("abort", onStop);
    if (this.#context.stop.aborted) onStop();
    try {
      await this.#ended.promise;
    } finally {
      clearInterval(looking);
      this.#context.stop.removeEventListener("abort", onStop);
      this.#show(progress);
      progress.finish();
    }
    if (!this.isWhole) return this.#context.log("stopped; the same command goes on from here");
    await whenWhole();
    this.#tellDone();
  }

  async seed(bounds: SeedingBounds): Promise<void> {
    const progress = new ProgressLine(this.#context);
    await waitForSeedingEnd(bounds, {
      stop: this.#context.stop,
      ratio: () => this.#stats().uploadedBytes / Math.max(1, this.#stats().totalBytes),
      onSecond: () => this.#show(progress),
    });
    progress.finish();
    const { uploadedBytes } = this.#stats();
    this.#context.event("seeded", { uploadedBytes, refused: this.#session.refused([this.transfer]) });
    this.#context.log(`gave ${formatSize(uploadedBytes)}`);
  }

  #stats() {
    return this.transfer.torrent.stats(this.#context.now());
  }

  #onEvent(event: TransferEvent): void {
    if (event.kind === "complete") {
      this.isWhole = true;
      this.#ended.resolve();
    } else if (event.kind === "failed") this.#ended.reject(event.error);
    else if (event.kind === "pieceDone") this.#context.event("piece", { piece: event.piece });
    else this.#report.tell(event);
    if (event.kind === "diskPaused") this.#diskFault = event.error;
    if (event.kind === "diskResumed") this.#diskFault = undefined;
  }

  /** What the disk said when it took no more; undefined while it does. */
  #diskFault: unknown;
  #movedBytes = 0;
  #movedAt = -Infinity;
  #completeAt: number | undefined;
  #eventAt = -Infinity;

  #look(progress: ProgressLine, timeoutMs: number | undefined): void {
    const now = this.#context.now();
    const { downloadedBytes } = this.#stats();
    if (this.#movedAt === -Infinity || downloadedBytes > this.#movedBytes) {
      this.#movedBytes = downloadedBytes;
      this.#movedAt = now;
    }
    if (this.transfer.torrent.isComplete) this.#awaitDisk(now);
    else if (timeoutMs !== undefined && now - this.#movedAt >= timeoutMs) this.#giveUp(timeoutMs);
    this.#show(progress);
  }

  /** A slow disk may need long for what memory took at once: whoever waits should know. */
  #awaitDisk(now: number): void {
    if (this.#completeAt === undefined) this.#completeAt = now;
    else if (now - this.#completeAt >= slowDiskMs) {
      this.#completeAt = Infinity;
      this.#context.log("all is here and verified; waiting until the disk has written it");
    }
  }

  #giveUp(timeoutMs: number): void {
    const { trackerStatus, webSeedErrors } = this.transfer.torrent;
    const faults = [...trackerStatus.flatMap(({ lastError }) => lastError ?? []), ...webSeedErrors];
    const { peerCount } = this.#stats();
    const stuck = this.#diskFault === undefined ? undefined : reasonOf(this.#diskFault);
    const why = stuck ?? (peerCount > 0 ? `${peerCount} connected` : faults[0] ?? "no peer was found");
    this.#ended.reject(
      new UserError(
        `download ${safeText(this.#metainfo.name)}`,
        `nothing came for ${formatDuration(timeoutMs)} (${safeText(why)})`,
        { exitCode: ExitCode.timeout, hint: "the same command goes on from here; --peer HOST:PORT names a peer" },
      ),
    );
  }

  #show(progress: ProgressLine): void {
    const { haveBytes, totalBytes, downRate, upRate, peerCount } = this.#stats();
    const etaSeconds = downRate > 0 ? (totalBytes - haveBytes) / downRate : undefined;
    progress.update({
      label: safeText(this.#metainfo.name),
      bytes: haveBytes,
      totalBytes,
      bytesPerSecond: downRate,
      upBytesPerSecond: upRate,
      peers: peerCount,
      ...(etaSeconds !== undefined && { etaSeconds }),
    });
    const now = this.#context.now();
    if (now - this.#eventAt < eventMs) return;
    this.#eventAt = now;
    this.#context.event("progress", {
      bytes: haveBytes,
      totalBytes,
      downRate: Math.round(downRate),
      upRate: Math.round(upRate),
      peers: peerCount,
      etaSeconds: etaSeconds === undefined ? null : Math.ceil(etaSeconds),
    });
  }

  #tellDone(): void {
    const seconds = (this.#context.now() - this.#startedAt) / 1000;
    const { totalBytes, downloadedBytes, uploadedBytes } = this.#stats();
    const path = this.#path;
    const refused = this.#session.refused([this.transfer]);
    this.#context.event("done", { path, bytes: totalBytes, downloadedBytes, uploadedBytes, seconds, refused });
    if (!this.#context.json) this.#context.out(`${path}\n`);
    const rate = downloadedBytes > 0
      ? ` in ${formatDuration(seconds * 1000)}, ${formatRate(downloadedBytes / seconds)}`
      : "";
    this.#context.log(`all ${formatSize(totalBytes)} are there and verified${rate}`);
    const { keptAside } = this.#storage;
    if (keptAside === undefined) return;
    this.#context.log(`${safeText(keptAside)} keeps what came along of other files, for when you select those too`);
  }
}
