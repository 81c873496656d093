import { assert, assertEquals } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import type { PickStrategy } from "../../peer/piece_picker.ts";
import { seededRandom } from "../lib/mutations.ts";
import { type VirtualPeer, type VirtualPeerOptions, VirtualSwarm } from "../peer/torrent_harness.ts";
import { makeContent } from "../peer/virtual_disk.ts";

/** A swarm in which everything is drawn from one number: sizes, speeds, limits, who has what, lies, hangs and breaks. */
class ChaoticSwarm {
  readonly swarm: VirtualSwarm;
  readonly leechers: VirtualPeer[] = [];
  readonly liars: VirtualPeer[] = [];
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed * 7_919);
    const totalLength = 1 + Math.floor(this.#random() * this.#pick(50_000, 1e6, 4e6));
    const pieceLength = Math.max(this.#pick(999, 16_384, 20_000, 65_536, 262_144), Math.ceil(totalLength / 500));
    this.swarm = new VirtualSwarm(makeContent({ totalLength, pieceLength, seed }), {
      ...{ seed, latencyMs: this.#pick(0.1, 5, 100), readBytesMax: this.#pick(Infinity, 1_000, 40_000) },
    });
    this.swarm.seed(this.#speed());
    if (this.#random() < 0.5) this.#joinLiar();
    const strategy = this.#pick<PickStrategy>("rarest-first", "sequential", "random");
    for (let count = 1 + Math.floor(this.#random() * 5); count > 0; count--) this.#joinLeecher(strategy);
    const { peers } = this.swarm;
    if (this.#random() < 0.5) this.swarm.introduceAll();
    else for (const peer of peers) this.swarm.introduce(peer, peers.filter((other) => other !== peer));
  }

  #pick<Choice>(...choices: Choice[]): Choice {
    return choices[Math.floor(this.#random() * choices.length)];
  }

  #speed(): VirtualPeerOptions {
    return {
      ...(this.#random() < 0.5 && { uplink: this.#pick(50_000, 1e6, 1e7) }),
      ...(this.#random() < 0.2 && { uploadLimit: this.#pick(30_000, 1e6) }),
      ...(this.#random() < 0.2 && { downloadLimit: this.#pick(100_000, 2e6) }),
    };
  }

  #joinLiar(): void {
    const share = this.#pick(0.02, 0.3, 1);
    this.liars.push(this.swarm.seed({ ...this.#speed(), spoils: () => this.swarm.random() < share }));
  }

  #joinLeecher(strategy: PickStrategy): void {
    const have = Bitfield.empty(this.swarm.content.layout.pieceCount);
    for (let piece = 0; piece < have.length; piece++) if (this.#random() < 0.2) have.set(piece);
    this.leechers.push(this.swarm.join({ have, strategy, ...this.#speed() }));
  }

  /** Connections break, machines hang and come back; the first seed stays. */
  disturb(): void {
    const [, ...victims] = this.swarm.peers;
    for (let count = 0; count < 8; count++) {
      this.swarm.runFor(this.#random() * 2_000);
      const victim = this.#pick(...victims);
      const what = this.#random();
      const [connection] = victim.pipes.keys();
      if (what < 0.4 && connection !== undefined) this.swarm.cut(victim, connection);
      else if (what < 0.55) victim.isFrozen = true;
      else if (what < 0.8) { for (const peer of victims) peer.isFrozen = false; }
    }
    for (const peer of victims) peer.isFrozen = false;
  }
}

for (let seed = 1; seed <= 80; seed++) {
  Deno.test(`chaos ${seed}: every leecher finishes, and nobody honest is banned`, () => {
    const chaos = new ChaoticSwarm(seed);
    const { swarm, leechers } = chaos;
    chaos.disturb();
    swarm.runUntil(() => leechers.every(({ torrent }) => torrent.isComplete), { maxMs: 1_200_000 });
    const banned = swarm.peers.flatMap((peer) => peer.eventsOf("peerBanned").map(({ endpoint }) => endpoint.host));
    const lying = new Set(chaos.liars.map(({ endpoint }) => endpoint.host));
    assertEquals(banned.filter((host) => !lying.has(host)), []);
    assert(leechers.every(({ disk }) => disk.stored.isFull));
  });
}
