/**
 * What a torrent does by the extension protocol (BEP 10): its extension handshake, and who takes which message.
 *
 * Of a private torrent nothing is told but to peers of its trackers (BEP 27): what it is and who else has it is no topic.
 */
import { canonicalHost } from "../lib/endpoint.ts";
import { uploadQueueMax } from "../lib/limits/wire.ts";
import { type ExtensionHandshake, extensionHandshakeId, ownExtensionIds } from "../lib/wire/extended.ts";
import { decodeDontHave, decodeUploadOnly } from "../lib/wire/partial_seed.ts";
import { decodeMetadataMessage } from "../lib/wire/ut_metadata.ts";
import { MetadataShare } from "./metadata_share.ts";
import { PeerExchange, type PeerExchangeOptions } from "./peer_exchange.ts";
import type { PeerSession } from "./peer_session.ts";

export interface ExtensionsOptions extends PeerExchangeOptions {
  /** Raw bytes of `info`, to be given to peers; undefined while we have not got them ourselves. */
  readonly infoBytes: Uint8Array | undefined;
  readonly isPrivate: boolean;
  /** What we call ourselves. */
  readonly client: string;
  /** Our TCP port, 0 for none. */
  readonly listenPort: number;
  /** The peer lost a piece (BEP 54). @throws ProtocolError when there is no such piece */
  onDontHave(session: PeerSession, index: number): void;
}

export class Extensions {
  readonly #options: ExtensionsOptions;
  readonly #metadata: MetadataShare | undefined;
  readonly #exchange: PeerExchange | undefined;

  constructor(options: ExtensionsOptions) {
    this.#options = options;
    const { infoBytes, isPrivate } = options;
    this.#metadata = infoBytes === undefined || isPrivate ? undefined : new MetadataShare(infoBytes);
    this.#exchange = isPrivate ? undefined : new PeerExchange(options);
  }

  /** What we say of ourselves to this peer. @param isUploadOnly we only give */
  handshakeFor(session: PeerSession, { isUploadOnly }: { isUploadOnly: boolean }): ExtensionHandshake {
    const { infoBytes, isPrivate, client, listenPort } = this.#options;
    this.#exchange?.touch();
    const yourIp = canonicalHost(session.endpoint.host); // undefined for an address with a zone
    const names = ["lt_donthave", "upload_only", ...(isPrivate ? [] : ["ut_pex", "ut_metadata"] as const)] as const;
    return {
      extensionIds: new Map(names.map((name) => [name, ownExtensionIds[name]])),
      client,
      requestQueueMax: uploadQueueMax,
      ...(yourIp !== undefined && { yourIp }),
      ...(isUploadOnly && { isUploadOnly }),
      ...(listenPort > 0 && { listenPort }),
      ...(this.#metadata !== undefined && { metadataSize: infoBytes!.length }),
    };
  }

  /** A message under an id of ours; what has another id was meant for nobody here. @throws ProtocolError */
  onMessage(session: PeerSession, { id, payload }: { id: number; payload: Uint8Array }, now: number): void {
    if (id === extensionHandshakeId) return this.#exchange?.touch();
    if (id === ownExtensionIds.ut_pex) return this.#exchange?.onMessage(session, payload, now);
    if (id === ownExtensionIds.lt_donthave) this.#options.onDontHave(session, decodeDontHave(payload));
    if (id === ownExtensionIds.upload_only) session.isUploadOnly = decodeUploadOnly(payload);
    if (id !== ownExtensionIds.ut_metadata || this.#metadata === undefined) return;
    const message = decodeMetadataMessage(payload);
    if (message?.kind === "request") this.#metadata.onRequest(session, message.part);
  }

  /** What was written to the peer has left: there is room for more. */
  onSent(session: PeerSession): void {
    this.#metadata?.serve(session);
  }

  tick(now: number): void {
    this.#exchange?.tick(now);
  }

  onGone(session: PeerSession): void {
    this.#exchange?.onGone(session);
    this.#metadata?.onGone(session);
  }
}
