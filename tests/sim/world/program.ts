/**
 * One run of the program on a simulated machine: a MetadataFetch or a Torrent, and around it what peer/io does with sockets,
 * trackers, disk and clock, in virtual time. It may be killed between any two of its steps.
 */
import { TrackerFailure } from "../../../lib/announce/request.ts";
import { type Bytes, concatBytes } from "../../../lib/bytes.ts";
import { ProtocolError } from "../../../lib/errors.ts";
import { makePeerId, type PeerId } from "../../../lib/ids.ts";
import { handshakeTimeoutMs } from "../../../lib/limits/transfer.ts";
import { Announcer } from "../../../peer/announcer.ts";
import { Client } from "../../../peer/client.ts";
import type { ConnectionId, Effect, Input } from "../../../peer/events.ts";
import { MetadataFetch } from "../../../peer/metadata_fetch.ts";
import { Torrent } from "../../../peer/torrent.ts";
import { CountedLimiter } from "./counted_limiter.ts";
import type { Machine } from "./machine.ts";
import type { SocketOwner, VirtualSocket } from "./network.ts";
import { ProgramDisk } from "./program_disk.ts";
import { Store } from "./store.ts";
import { Witness } from "./witness.ts";
import type { WorldStage } from "./world_stage.ts";

type EffectOf<Kind extends Effect["kind"]> = Extract<Effect, { kind: Kind }>;

export interface Link {
  readonly socket: VirtualSocket;
  readonly witness: Witness;
  /** Bytes that came, and that went. */
  heardBytes: number;
  saidBytes: number;
}

/** The clock of an engine never ticks faster, nor slower, than this. */
const tickMinMs = 2;
const tickMaxMs = 2_000;

export class Program implements SocketOwner {
  readonly machine: Machine;
  readonly peerId: PeerId;
  readonly links = new Map<ConnectionId, Link>();
  fetch: MetadataFetch | undefined;
  torrent: Torrent | undefined;
  store: Store | undefined;
  /** Dials without an answer. */
  dialCount = 0;
  /** It was told to stop. */
  isStopping = false;
  /** It is there no more. */
  isEnded = false;
  readonly uploadLimiter: CountedLimiter;
  readonly downloadLimiter: CountedLimiter;
  readonly disk: ProgramDisk;
  readonly #stage: WorldStage;
  readonly #announcer: Announcer;
  readonly #client = new Client<Program>();
  /** Connections that have not named a torrent, and what they said. */
  readonly #unrouted = new Map<VirtualSocket, Bytes>();
  readonly #paused = new Set<VirtualSocket>();
  readonly #inputs: { readonly input: Input; readonly after?: () => void }[] = [];
  #isApplying = false;
  #timerAt = Infinity;

  constructor(machine: Machine, stage: WorldStage) {
    this.machine = machine;
    this.#stage = stage;
    this.peerId = makePeerId(stage.luck.next);
    this.uploadLimiter = new CountedLimiter(machine.plan.uploadLimit);
    this.downloadLimiter = new CountedLimiter(machine.plan.downloadLimit);
    const { infoHash, announce } = stage.content.metainfo;
    const isComplete = machine.wholeAtStart;
    this.#announcer = new Announcer({
      ...{ tiers: announce, infoHash, peerId: this.peerId, port: machine.endpoint.port, random: stage.luck.next },
      isComplete,
    });
    this.disk = new ProgramDisk(this, stage);
    this.#client.add(infoHash, this);
  }

  begin(): void {
    if (this.machine.hasMetadata) return this.#check(undefined);
    const { infoHash } = this.#stage.content.metainfo;
    this.fetch = new MetadataFetch({ infoHash, announcer: this.#announcer, ...this.#self });
    this.#learnPeers();
  }

  /** What runs now; undefined while the disk is being checked. */
  get core(): Torrent | MetadataFetch | undefined {
    return this.torrent ?? this.fetch;
  }

  get #self() {
    const { machine } = this;
    return {
      peerId: this.peerId,
      listenPort: machine.endpoint.port,
      client: machine.name,
      random: this.#stage.luck.next,
      ...(machine.plan.maxPeers !== undefined && { maxPeers: machine.plan.maxPeers }),
    };
  }

  #learnPeers(): void {
    const { knows } = this.machine.plan;
    this.apply({ kind: "tick" });
    if (knows.length > 0) this.apply({ kind: "peersFound", endpoints: knows, source: "user" });
  }

  #check(infoBytes: Uint8Array | undefined): void {
    const { content } = this.#stage;
    const { selection, isSeed } = this.machine;
    this.later(this.disk.takesMs(3), () => {
      const store = new Store(content, this.machine.drive, { selection, isSeed });
      const have = store.check();
      const run = () => this.#run(store, infoBytes !== undefined);
      if (isSeed || store.isFinished || have.isFull) return run();
      this.disk.walk(store.writeResume(), run);
    });
  }

  #run(store: Store, isHandedOver: boolean): void {
    const { infoHash, layout, infoBytes, isPrivate } = this.#stage.content.metainfo;
    const { plan, selection, isSeed } = this.machine;
    this.store = store;
    this.torrent = new Torrent({
      ...{ infoHash, layout, infoBytes, isPrivate, have: store.have, selection, isSeedOnly: isSeed },
      ...this.#self,
      announcer: this.#announcer,
      downloadLimiter: this.downloadLimiter,
      uploadLimiter: this.uploadLimiter,
      strategy: plan.strategy,
      ...(this.fetch !== undefined && { roster: this.fetch.roster }),
    });
    this.disk.begin(store);
    if (isHandedOver) this.apply({ kind: "handedOver" });
    if (isHandedOver) this.apply({ kind: "tick" });
    else this.#learnPeers();
    if (this.torrent.isComplete) this.disk.walk(store.finish());
  }

  /** Takes an input in and performs what follows from it, before it returns. */
  apply(input: Input, after?: () => void): void {
    this.#inputs.push({ input, ...(after !== undefined && { after }) });
    if (this.#isApplying) return;
    this.#isApplying = true;
    for (let next = this.#inputs.shift(); next !== undefined && !this.isEnded; next = this.#inputs.shift()) {
      this.#applyOne(next.input);
      next.after?.();
    }
    this.#isApplying = false;
    if (this.isEnded) return;
    for (const socket of this.#paused) {
      if (this.mayRead(socket)) {
        this.#paused.delete(socket);
        socket.resume();
      }
    }
    this.#plan();
  }

  #applyOne(input: Input): void {
    const { core } = this;
    const { network, trace } = this.#stage;
    if (core === undefined) return;
    const link = "connection" in input ? this.links.get(input.connection) : undefined;
    trace.step(network.now, this.machine.name, input, input.kind === "received" ? this.#hear(link!, input.bytes) : []);
    const effects = core.apply(input, network.now);
    for (const effect of effects) {
      if (this.#stage.isStruck(this)) return;
      const said = effect.kind === "send" ? this.#say(this.links.get(effect.connection)!, effect.bytes) : [];
      trace.effect(network.now, this.machine.name, effect, said);
      this.#perform(effect);
    }
    this.#stage.afterStep(this, input);
    this.#stage.isStruck(this);
  }

  #hear(link: Link, bytes: Uint8Array): string[] {
    if (this.machine.plan.isPlain) makePlain(bytes, link.heardBytes);
    link.heardBytes += bytes.length;
    return link.witness.hear(bytes);
  }

  #say(link: Link, bytes: Bytes): string[] {
    if (this.machine.plan.isPlain) makePlain(bytes, link.saidBytes);
    link.saidBytes += bytes.length;
    return link.witness.say(bytes);
  }

  /** Lets something happen later, unless the run ends before; while the machine hangs it waits. */
  later(ms: number, run: () => void): void {
    const { network } = this.#stage;
    network.at(network.now + ms, () =>
      this.machine.whenAwake(() => {
        if (!this.isEnded) run();
      }));
  }

  #plan(): void {
    const { network, luck } = this.#stage;
    const at = this.core?.wakeAt(network.now) ?? Infinity;
    if (at >= this.#timerAt || at === Infinity) return;
    this.#timerAt = at;
    const inMs = Math.min(Math.max(at - network.now, tickMinMs), tickMaxMs);
    this.later(inMs + (luck.chance(0.1) ? luck.between(0, 40) : 0), () => {
      if (this.#timerAt !== at) return;
      this.#timerAt = Infinity;
      this.apply({ kind: "tick" });
      this.disk.saveIfDue();
    });
  }

  // Sockets

  mayRead(socket: VirtualSocket): boolean {
    if (this.machine.isFrozen) return false;
    const may = this.#unrouted.has(socket) || this.core?.mayRead(socket.id) !== false;
    if (!may) this.#paused.add(socket);
    return may;
  }

  onBytes(socket: VirtualSocket, bytes: Bytes): void {
    const said = this.#unrouted.get(socket);
    if (said !== undefined) return this.#route(socket, concatBytes([said, bytes]));
    if (this.links.has(socket.id)) this.apply({ kind: "received", connection: socket.id, bytes });
  }

  onWritten(socket: VirtualSocket, bytes: Bytes): void {
    bytes.fill(0xee);
    this.later(0, () => {
      if (this.links.has(socket.id)) this.apply({ kind: "sent", connection: socket.id, bytes });
    });
  }

  onClosed(socket: VirtualSocket): void {
    this.#unrouted.delete(socket);
    this.#paused.delete(socket);
    this.later(0, () => {
      const link = this.links.get(socket.id);
      if (link === undefined) return;
      this.#unlink(link);
      this.apply({ kind: "closed", connection: socket.id });
    });
  }

  /** The machine goes on after it hung. */
  resume(): void {
    for (const { socket } of this.links.values()) socket.resume();
    for (const socket of this.#unrouted.keys()) socket.resume();
  }

  accept(socket: VirtualSocket): void {
    this.#unrouted.set(socket, new Uint8Array(0));
    this.later(handshakeTimeoutMs, () => {
      if (this.#unrouted.delete(socket)) socket.close();
    });
  }

  /** The first bytes of a connection say which torrent it is for. */
  #route(socket: VirtualSocket, start: Bytes): void {
    this.#unrouted.set(socket, start);
    try {
      const found = this.#client.route(start.subarray(0, 68));
      if (found === "more") return;
      this.#unrouted.delete(socket);
      if (found === undefined || this.isStopping || this.core === undefined) return socket.close();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#unrouted.delete(socket);
      return socket.close();
    }
    this.#connect(socket, false);
    if (this.links.has(socket.id)) this.apply({ kind: "received", connection: socket.id, bytes: start });
  }

  #unlink({ socket }: Link): void {
    this.links.delete(socket.id);
    this.#paused.delete(socket);
  }

  #connect(socket: VirtualSocket, isOutgoing: boolean): void {
    const witness = new Witness(this.#stage.content);
    this.links.set(socket.id, { socket, witness, heardBytes: 0, saidBytes: 0 });
    this.apply({ kind: "connected", connection: socket.id, endpoint: socket.remote, isOutgoing });
  }

  #dial({ endpoint }: EffectOf<"dial">): void {
    this.dialCount++;
    this.#stage.network.dial(this.machine.endpoint, endpoint, (socket) => {
      if (socket !== undefined) socket.owner = this;
      if (this.isEnded) return socket?.close();
      this.later(0, () => {
        this.dialCount--;
        if (socket?.isOpen === false) socket = undefined;
        if (socket === undefined) return this.apply({ kind: "dialFailed", endpoint });
        this.#connect(socket, true);
        socket.resume();
      });
    });
  }

  // Effects

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "send":
        return this.links.get(effect.connection)!.socket.write(effect.bytes);
      case "dial":
        return this.#dial(effect);
      case "close": {
        const link = this.links.get(effect.connection)!;
        this.#unlink(link);
        this.#stage.onClosing(this, link.socket.remote, effect.why);
        return link.socket.close();
      }
      case "announce":
        return this.#announce(effect);
      case "readBlocks":
        return this.disk.read(effect);
      case "storePiece":
        return this.disk.storePiece(effect);
      case "checkPiece":
        return this.disk.checkPiece(effect);
      case "pieceDone":
        this.disk.hasUnsaved = true;
        return;
      case "peerBanned":
        return this.#stage.onBanned(this, effect);
      case "metadata":
        return this.#keepMetadata(effect);
      case "complete":
        return this.disk.walk(this.store!.finish());
      case "diskFailed":
        this.#stage.trace.event(this.#stage.network.now, `${this.machine.name} gives up: ${effect.error}`);
        return this.stop();
      default:
    }
  }

  #announce({ call }: EffectOf<"announce">): void {
    const { network, luck, trackers } = this.#stage;
    this.later(luck.between(0, 200), () => {
      const tracker = trackers.find(({ url }) => url === call.url)!;
      const fail = (why: string, retryInMs?: number) =>
        this.apply({ kind: "announceFailed", id: call.id, why, retryInMs });
      if (!tracker.isUp) return fail("nobody listens");
      try {
        const reply = tracker.announce(call, this.machine.endpoint.host, network.now);
        this.later(luck.between(0, 200), () => this.apply({ kind: "announced", id: call.id, reply }));
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        fail(error.message, error instanceof TrackerFailure ? error.retryInMs : undefined);
      }
    });
  }

  #keepMetadata(_: EffectOf<"metadata">): void {
    this.later(this.disk.takesMs(), () => {
      this.machine.hasMetadata = true;
      this.#check(this.#stage.content.metainfo.infoBytes);
    });
  }

  // The end

  /** Ends as a program does that is told to: says goodbye, saves, and is gone. */
  stop(): void {
    if (this.isStopping) return;
    this.isStopping = true;
    for (const socket of this.#unrouted.keys()) socket.close();
    this.#unrouted.clear();
    this.apply({ kind: "stop" });
    const end = () => {
      if (this.disk.isBusy) return this.later(50, end);
      const gone = () => this.machine.onEnded(this);
      if (this.store === undefined || this.torrent?.isComplete !== false) gone();
      else this.disk.walk(this.store.save(), gone);
    };
    // what was announced at the end is still on its way
    this.later(500, end);
  }

  /** Ends in the middle of whatever it does. */
  die({ isHeard }: { isHeard: boolean }): void {
    this.isEnded = true;
    this.disk.die();
    for (const { socket } of this.links.values()) socket.vanish({ isHeard });
    for (const socket of this.#unrouted.keys()) socket.vanish({ isHeard });
  }
}

/** Takes all extensions out of a handshake. @param at where in the stream the bytes begin */
function makePlain(bytes: Uint8Array, at: number): void {
  for (const place of [25, 27]) if (place >= at && place < at + bytes.length) bytes[place - at] = 0;
}
