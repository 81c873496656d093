/** Looks for what is shared on this network: the browser's clock and sockets. */
import { encodeDns } from "../../lib/dns_message.ts";
import { decodeDns } from "../../lib/dns_reader.ts";
import { ProtocolError } from "../../lib/errors.ts";
import { MulticastSockets } from "../../lib/io/multicast.ts";
import type { Network } from "../../lib/io/network.ts";
import { mdnsGroups, mdnsPort } from "../../lib/share_service.ts";
import type { FoundShare } from "../found_share.ts";
import { ShareBrowser } from "../share_browser.ts";
import { mdnsTtl } from "./share_announcer.ts";

/** Milliseconds after the first question at which it is asked again: packets get lost on the air. */
const askAtMs = [0, 400, 1_500, 3_500, 7_500, 15_500, 31_500] as const;

export interface ShareFinderOptions {
  readonly network: Network;
  /** What `--host` says. */
  readonly host: string | undefined;
  readonly signal: AbortSignal;
  /** Monotonic milliseconds. */
  now(): number;
  onFault(name: string, why: string): void;
}

export class ShareFinder {
  readonly #options: ShareFinderOptions;
  readonly #browser = new ShareBrowser();
  readonly #timers: ReturnType<typeof setTimeout>[] = [];
  #sockets: MulticastSockets | undefined;
  #onChange: (() => void) | undefined;

  private constructor(options: ShareFinderOptions) {
    this.#options = options;
  }

  /** Begins to ask; never fails. */
  static async start(options: ShareFinderOptions): Promise<ShareFinder> {
    const finder = new ShareFinder(options);
    const { network, host, onFault } = options;
    const sockets = await MulticastSockets.open({
      network,
      host,
      groups: mdnsGroups,
      port: mdnsPort,
      ttl: mdnsTtl,
      onPacket: (bytes) => finder.#hear(bytes),
      onFault,
    });
    finder.#sockets = sockets;
    const query = encodeDns(finder.#browser.query());
    for (const ms of askAtMs) finder.#timers.push(setTimeout(() => sockets.send(() => [query]), ms));
    return finder;
  }

  /** Whether there is any network to look on. */
  get hasLinks(): boolean {
    return (this.#sockets?.links.length ?? 0) > 0;
  }

  /** What was found so far. */
  shares(): FoundShare[] {
    return this.#browser.shares(this.#options.now());
  }

  /** Waits until what was found passes the test, or for so long. @returns what was found @throws the signal's reason */
  async find(isEnough: (shares: readonly FoundShare[]) => boolean, forMs: number): Promise<FoundShare[]> {
    const { signal } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, forMs);
    const onAbort = () => resolve();
    signal.addEventListener("abort", onAbort);
    this.#onChange = () => isEnough(this.shares()) && resolve();
    this.#onChange();
    await promise;
    this.#onChange = undefined;
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    signal.throwIfAborted();
    return this.shares();
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#sockets?.close();
  }

  #hear(bytes: Uint8Array): void {
    try {
      this.#browser.hear(decodeDns(bytes), this.#options.now());
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
    this.#onChange?.();
  }
}
