/**
 * A peer of a simulated world that lies, spoils, stalls, floods or talks nonsense, in manners drawn from luck.
 *
 * It knows the torrent, tells the trackers of itself, dials whom it hears of and lets itself be dialled.
 */
import type { Bytes } from "../../../lib/bytes.ts";
import { encodeBencode } from "../../../lib/bencode.ts";
import { type Endpoint, formatEndpoint } from "../../../lib/endpoint.ts";
import { ProtocolError } from "../../../lib/errors.ts";
import { makePeerId, type PeerId } from "../../../lib/ids.ts";
import { Bitfield } from "../../../lib/bitfield.ts";
import { encodeExtensionHandshake, extensionHandshakeId, ownExtensionIds } from "../../../lib/wire/extended.ts";
import { FrameReader } from "../../../lib/wire/frame.ts";
import { decodeHandshake, encodeHandshake } from "../../../lib/wire/handshake.ts";
import { type BlockRange, decodeMessage, type Message, MessageId } from "../../../lib/wire/message.ts";
import { MessageWriter } from "../../../lib/wire/message_writer.ts";
import { encodeDontHave } from "../../../lib/wire/partial_seed.ts";
import { decodeMetadataMessage, encodeMetadataData } from "../../../lib/wire/ut_metadata.ts";
import { encodePexMessage } from "../../../lib/wire/ut_pex.ts";
import { bytesOf } from "./content.ts";
import type { Luck } from "./luck.ts";
import type { Host, SocketOwner, VirtualSocket } from "./network.ts";
import type { WorldStage } from "./world_stage.ts";

/** How one such peer behaves; probabilities where nothing else is said. */
interface Manners {
  readonly supportsFast: boolean;
  readonly supportsExtensions: boolean;
  readonly claims: "everything" | "nothing" | "some" | "no word";
  /** Of all requests: those answered rightly, wrongly, by a reject; the rest is not answered. */
  readonly right: number;
  readonly wrong: number;
  readonly rejected: number;
  readonly chokes: "never" | "always" | "again and again";
  /** It takes nothing from its socket. */
  readonly isDeaf: boolean;
  readonly isSilent: boolean;
  /** Of all its turns: a message that makes no sense here, and bytes that make none anywhere. */
  readonly nonsense: number;
  readonly garbage: number;
  readonly requests: number;
  readonly asksMuch: boolean;
  readonly spoilsMetadata: boolean;
  /** It takes the name of others. */
  readonly stealsNames: boolean;
}

function drawManners(luck: Luck): Manners {
  const isSpoiler = luck.chance(0.5);
  return {
    supportsFast: luck.chance(0.7),
    supportsExtensions: luck.chance(0.7),
    claims: isSpoiler ? "everything" : luck.pick("everything", "nothing", "some", "no word"),
    right: isSpoiler ? luck.pick(0, 0.5, 0.95) : luck.pick(0, 1),
    wrong: isSpoiler ? luck.pick(0.05, 0.2, 1) : 0,
    rejected: luck.pick(0, 0, 0.3, 1),
    chokes: isSpoiler ? "never" : luck.pick("never", "always", "again and again"),
    isDeaf: !isSpoiler && luck.chance(0.15),
    isSilent: !isSpoiler && luck.chance(0.15),
    nonsense: luck.pick(0, 0.1, 0.5),
    garbage: isSpoiler ? 0 : luck.pick(0, 0, 0.05),
    requests: luck.pick(0, 0.3, 0.9),
    asksMuch: luck.chance(0.2),
    spoilsMetadata: luck.chance(0.5),
    stealsNames: luck.chance(0.15),
  };
}

interface Line {
  readonly out: MessageWriter;
  readonly frames: FrameReader;
  isShakenHands: boolean;
  hasGreeted: boolean;
  isWriting: boolean;
  isChoking: boolean;
}

export class Hostile implements Host, SocketOwner {
  readonly endpoint: Endpoint;
  readonly door = "open";
  readonly name: string;
  readonly #stage: WorldStage;
  readonly #luck: Luck;
  readonly #manners: Manners;
  readonly #lines = new Map<VirtualSocket, Line>();
  readonly #known = new Map<string, Endpoint>();
  readonly #peerId: PeerId;
  /** Names that it heard and may take. */
  readonly #names: PeerId[] = [];
  #announceId = 1;
  #isDone = false;

  constructor(endpoint: Endpoint, name: string, stage: WorldStage) {
    this.endpoint = endpoint;
    this.name = name;
    this.#stage = stage;
    this.#luck = stage.luck;
    this.#manners = drawManners(stage.luck);
    this.#peerId = makePeerId(this.#luck.next);
  }

  describe(): string {
    return `${this.name} ${JSON.stringify(this.#manners)}`;
  }

  begin(knows: readonly Endpoint[]): void {
    for (const endpoint of knows) this.#known.set(formatEndpoint(endpoint), endpoint);
    this.#turn();
  }

  /** It leaves for good. */
  end(): void {
    this.#isDone = true;
    for (const socket of this.#lines.keys()) socket.close();
    this.#lines.clear();
  }

  #turn(): void {
    if (this.#isDone) return;
    const { network } = this.#stage;
    network.at(network.now + this.#luck.between(100, 4_000), () => this.#turn());
    if (this.#luck.chance(0.15)) this.#announce();
    if (this.#lines.size < 4) this.#dial(this.#luck.of(this.#known.values()));
    for (const [socket, line] of this.#lines) this.#act(socket, line);
  }

  #announce(): void {
    const tracker = this.#luck.of(this.#stage.trackers);
    if (tracker?.isUp !== true) return;
    const { infoHash } = this.#stage.content.metainfo;
    const { peers } = tracker.announce(
      {
        id: this.#announceId++,
        url: tracker.url,
        request: {
          ...{ infoHash, peerId: this.#peerId, port: this.endpoint.port, uploaded: 0, downloaded: 0, left: 0 },
          ...{ event: undefined, numWant: 50, key: 1, compact: true },
        },
      },
      this.endpoint.host,
      this.#stage.network.now,
    );
    for (const endpoint of peers) this.#known.set(formatEndpoint(endpoint), endpoint);
  }

  #dial(endpoint: Endpoint | undefined): void {
    if (endpoint === undefined) return;
    this.#stage.network.dial(this.endpoint, endpoint, (socket) => {
      if (socket === undefined) return;
      socket.owner = this;
      if (this.#isDone) return socket.close();
      this.accept(socket);
      if (this.#luck.chance(0.95)) this.#greet(socket);
    });
  }

  accept(socket: VirtualSocket): this {
    this.#lines.set(socket, {
      out: new MessageWriter(),
      frames: new FrameReader(),
      ...{ isShakenHands: false, hasGreeted: false, isWriting: false, isChoking: true },
    });
    return this;
  }

  // As a holder of sockets

  mayRead(): boolean {
    return !this.#manners.isDeaf || this.#luck.chance(0.02);
  }

  onWritten(socket: VirtualSocket): void {
    const line = this.#lines.get(socket);
    if (line === undefined) return;
    line.isWriting = false;
    this.#flush(socket, line);
  }

  onClosed(socket: VirtualSocket): void {
    this.#lines.delete(socket);
  }

  onBytes(socket: VirtualSocket, bytes: Bytes): void {
    const line = this.#lines.get(socket);
    if (line === undefined) return;
    try {
      line.frames.push(bytes, (buffer, start, end) => {
        if (line.isShakenHands) this.#onMessage(line, decodeMessage(buffer, start, end));
        else {
          if (this.#names.length < 20) this.#names.push(decodeHandshake(buffer.subarray(start, end)).peerId);
          this.#onHandshake(socket, line);
        }
      });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      socket.close();
      this.#lines.delete(socket);
    }
    this.#flush(socket, line);
  }

  #greet(socket: VirtualSocket): void {
    const line = this.#lines.get(socket)!;
    const { infoHash } = this.#stage.content.metainfo;
    const { supportsFast, supportsExtensions, stealsNames } = this.#manners;
    line.hasGreeted = true;
    // Who has a name keeps its owner out for as long as it stays: that is for the time of troubles.
    const isThief = stealsNames && this.#stage.isTroubled && this.#luck.chance(0.5);
    const stolen = isThief ? this.#luck.of(this.#names) : undefined;
    const peerId = stolen ?? this.#peerId;
    line.out.bytes(encodeHandshake({ infoHash, peerId, supportsFast, supportsExtensions }));
    this.#flush(socket, line);
  }

  #onHandshake(socket: VirtualSocket, line: Line): void {
    if (!line.hasGreeted) this.#greet(socket);
    line.isShakenHands = true;
    const { claims, supportsFast, supportsExtensions, isSilent } = this.#manners;
    if (isSilent) return;
    const { pieceCount, infoBytes } = this.#stage.content.metainfo;
    if (supportsExtensions) {
      const extensionIds = new Map(Object.entries(ownExtensionIds));
      const metadataSize = this.#luck.chance(0.8) ? infoBytes.length : this.#luck.below(100_000);
      const listenPort = this.endpoint.port;
      const payload = encodeExtensionHandshake({ extensionIds, metadataSize, listenPort, client: "liar" });
      line.out.extended(extensionHandshakeId, payload);
    }
    if (claims === "everything" && supportsFast) line.out.bare(MessageId.haveAll);
    else if (claims === "everything") line.out.bitfield(Bitfield.full(pieceCount).encode());
    else if (claims === "some") line.out.bitfield(this.#somePieces().encode());
    else if (claims === "nothing" && supportsFast) line.out.bare(MessageId.haveNone);
    if (this.#manners.chokes !== "always") this.#setChoking(line, false);
    if (this.#luck.chance(0.5)) line.out.bare(MessageId.interested);
  }

  #somePieces(): Bitfield {
    const pieces = Bitfield.empty(this.#stage.content.metainfo.pieceCount);
    for (let piece = 0; piece < pieces.length; piece++) if (this.#luck.chance(0.5)) pieces.set(piece);
    return pieces;
  }

  #setChoking(line: Line, isChoking: boolean): void {
    line.isChoking = isChoking;
    line.out.bare(isChoking ? MessageId.choke : MessageId.unchoke);
  }

  #onMessage(line: Line, message: Message): void {
    if (message.kind === "request") return this.#onRequest(line, message);
    if (message.kind !== "extended" || message.id !== ownExtensionIds.ut_metadata || this.#manners.isSilent) return;
    const asked = decodeMetadataMessage(message.payload);
    const { infoBytes } = this.#stage.content.metainfo;
    if (asked?.kind !== "request" || asked.part * 16_384 >= infoBytes.length) return;
    const bytes = infoBytes.slice();
    if (this.#manners.spoilsMetadata) bytes[this.#luck.below(bytes.length)] ^= 1;
    if (this.#luck.chance(0.8)) line.out.extended(ownExtensionIds.ut_metadata, encodeMetadataData(bytes, asked.part));
  }

  #onRequest(line: Line, { piece, begin, length }: BlockRange): void {
    const { right, wrong, rejected, supportsFast } = this.#manners;
    const luck = this.#luck.next();
    if (luck < right + wrong) {
      const block = bytesOf(this.#stage.content, piece, begin, length).slice();
      if (luck < wrong) block[this.#luck.below(block.length)] ^= 1 << this.#luck.below(8);
      line.out.block(piece, begin, block);
    } else if (luck < right + wrong + rejected && supportsFast) line.out.range(MessageId.reject, piece, begin, length);
  }

  // Of its own accord

  #act(socket: VirtualSocket, line: Line): void {
    const { isSilent, nonsense, garbage, requests, chokes, asksMuch } = this.#manners;
    if (!line.isShakenHands || isSilent) return;
    if (this.#luck.chance(0.02)) {
      socket.close();
      return void this.#lines.delete(socket);
    }
    if (chokes === "again and again") this.#setChoking(line, !line.isChoking);
    if (this.#luck.chance(requests)) this.#ask(line, asksMuch ? 400 : 3);
    if (this.#luck.chance(nonsense)) this.#talkNonsense(line);
    if (this.#luck.chance(garbage)) line.out.bytes(this.#luck.bytes(1 + this.#luck.below(100)));
    this.#flush(socket, line);
    if (this.#manners.isDeaf) socket.resume();
  }

  #ask(line: Line, count: number): void {
    const { layout, pieceCount } = this.#stage.content.metainfo;
    for (let i = 0; i < count; i++) {
      const piece = this.#luck.below(pieceCount + (this.#luck.chance(0.05) ? 3 : 0));
      const begin = this.#luck.below(3) * 16_384;
      const length = Math.max(1, Math.min(this.#luck.chance(0.1) ? 200_000 : 16_384, layout.pieceLength - begin));
      line.out.range(this.#luck.chance(0.1) ? MessageId.cancel : MessageId.request, piece, begin, length);
    }
  }

  #talkNonsense(line: Line): void {
    const { layout, pieceCount } = this.#stage.content.metainfo;
    const piece = this.#luck.below(pieceCount + (this.#luck.chance(0.02) ? 5 : 0));
    const range = [piece, this.#luck.below(3) * 16_384, Math.min(16_384, layout.pieceLength)] as const;
    const { supportsFast } = this.#manners;
    const choices: (() => void)[] = [
      () => line.out.piece(MessageId.have, piece),
      () => line.out.bitfield(this.#somePieces().encode()),
      () => line.out.block(range[0], range[1], this.#luck.bytes(range[2])),
      () => line.out.bare(this.#luck.pick(MessageId.interested, MessageId.notInterested)),
      () => line.out.range(MessageId.cancel, ...range),
      () => line.out.keepAlive(),
      () => line.out.extended(ownExtensionIds.lt_donthave, encodeDontHave(piece)),
      () => line.out.extended(ownExtensionIds.upload_only, Uint8Array.of(this.#luck.below(2))),
      () => line.out.extended(ownExtensionIds.ut_pex, encodePexMessage({ added: this.#madeUp(), dropped: [] })),
      () => line.out.extended(ownExtensionIds.ut_metadata, encodeBencode({ msg_type: 0, piece: this.#luck.below(9) })),
      () => line.out.extended(extensionHandshakeId, encodeExtensionHandshake({ extensionIds: new Map() })),
    ];
    if (supportsFast) {
      choices.push(
        () => line.out.piece(MessageId.suggest, piece),
        () => line.out.piece(MessageId.allowedFast, piece),
        () => line.out.range(MessageId.reject, ...range),
        () => line.out.bare(MessageId.haveAll),
        () => line.out.bare(MessageId.haveNone),
      );
    }
    for (let count = 1 + this.#luck.below(5); count > 0; count--) this.#luck.pick(...choices)();
  }

  #madeUp(): { endpoint: Endpoint; flags: number }[] {
    return Array.from({ length: this.#luck.below(20) }, () => ({
      endpoint: { host: `10.7.${this.#luck.below(2)}.${1 + this.#luck.below(250)}`, port: 6881 },
      flags: this.#luck.below(256),
    }));
  }

  #flush(socket: VirtualSocket, line: Line): void {
    if (line.isWriting || line.out.length === 0 || !socket.isOpen) return;
    line.isWriting = true;
    socket.write(line.out.take().slice());
  }
}
