/** Tells the network what is shared here: the responder's clock and sockets. Without a network that carries it, silently. */
import { encodeDns } from "../../lib/dns_message.ts";
import { decodeDns } from "../../lib/dns_reader.ts";
import type { Endpoint } from "../../lib/endpoint.ts";
import { ProtocolError } from "../../lib/errors.ts";
import { MulticastSockets } from "../../lib/io/multicast.ts";
import type { Network } from "../../lib/io/network.ts";
import { mdnsGroups, mdnsPort, type ShareService } from "../../lib/share_service.ts";
import { isInNetwork } from "../../lib/local_addresses.ts";
import { type LinkMessage, ShareResponder } from "../share_responder.ts";

/** Hops of multicast DNS packets: those who check want it (RFC 6762 section 11). */
export const mdnsTtl = 255;
/** Milliseconds for the goodbye. */
const goodbyeMs = 500;

export interface ShareAnnouncerOptions {
  readonly network: Network;
  /** What `--host` says. */
  readonly host: string | undefined;
  /** The TCP port of the page. */
  readonly port: number;
  readonly shares: readonly ShareService[];
  /** Monotonic milliseconds. */
  now(): number;
  random(): number;
  onFault(name: string, why: string): void;
}

export class ShareAnnouncer {
  readonly #options: ShareAnnouncerOptions;
  readonly #responder: ShareResponder;
  #sockets: MulticastSockets | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  private constructor(options: ShareAnnouncerOptions) {
    this.#options = options;
    const { shares, port, now, random } = options;
    const hostId = Math.floor(random() * 2 ** 32).toString(16).padStart(8, "0");
    this.#responder = new ShareResponder({ shares, port, hostId, now: now(), random });
  }

  /** Begins to announce; never fails. */
  static async start(options: ShareAnnouncerOptions): Promise<ShareAnnouncer> {
    const announcer = new ShareAnnouncer(options);
    const { network, host, onFault } = options;
    announcer.#sockets = await MulticastSockets.open({
      network,
      host,
      groups: mdnsGroups,
      port: mdnsPort,
      ttl: mdnsTtl,
      onPacket: (bytes, sender) => announcer.#hear(bytes, sender),
      onFault,
    });
    announcer.#wake();
    return announcer;
  }

  /** Whether there is any network to announce on. */
  get hasLinks(): boolean {
    return (this.#sockets?.links.length ?? 0) > 0;
  }

  /** Takes everything back and falls silent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const { promise: isLate, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, goodbyeMs);
    await Promise.race([this.#send(this.#responder.goodbye()), isLate]);
    clearTimeout(timer);
    this.#sockets?.close();
  }

  #wake(): void {
    clearTimeout(this.#timer);
    const { wakeAt } = this.#responder;
    if (this.#isClosed || wakeAt === Infinity) return;
    this.#timer = setTimeout(() => this.#tick(), Math.max(0, wakeAt - this.#options.now()));
  }

  async #tick(): Promise<void> {
    await this.#send(this.#responder.tick(this.#options.now()));
    this.#wake();
  }

  async #send(messages: readonly LinkMessage[]): Promise<void> {
    if (messages.length === 0) return;
    await this.#sockets?.send((link) => {
      const hosts = link.networks.map(({ host }) => host);
      return messages.map((message) => encodeDns(message(hosts)));
    });
  }

  #hear(bytes: Uint8Array, sender: Endpoint): void {
    if (this.#isClosed) return;
    try {
      const message = decodeDns(bytes);
      const now = this.#options.now();
      this.#responder.hear(message, now);
      this.#answerAlone(this.#responder.answerAlone(message, sender, now), sender);
      this.#wake();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
  }

  #answerAlone(message: LinkMessage | undefined, sender: Endpoint): void {
    // An asker from elsewhere may have a forged address: he is not answered.
    const link = this.#sockets?.links.find(({ networks }) =>
      networks.some((network) => isInNetwork(sender.host, network))
    );
    if (message === undefined || link === undefined) return;
    this.#sockets?.sendTo(encodeDns(message(link.networks.map(({ host }) => host))), sender);
  }
}
