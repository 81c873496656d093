import { assert, assertEquals, assertThrows } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import type { PieceIndex } from "../../lib/ids.ts";
import { type PickStrategy, PiecePicker } from "../../peer/piece_picker.ts";
import { seededRandom } from "../lib/mutations.ts";
import { bitfieldOf } from "./virtual_disk.ts";

const pieceOf = (index: number) => index as PieceIndex;

/** A picker in a drawn swarm: how many peers have each piece, and which we have ("*"). */
function draw(
  { availability, have = " ".repeat(availability.length), strategy = "rarest-first", seed = 1 }: {
    availability: string;
    have?: string;
    strategy?: PickStrategy;
    seed?: number;
  },
): PiecePicker {
  const picker = new PiecePicker({
    pieceCount: availability.length,
    strategy,
    random: seededRandom(seed),
    isMissing: (piece) => have[piece] !== "*",
  });
  [...availability].forEach((count, piece) => {
    for (let i = 0; i < Number(count); i++) picker.increase(pieceOf(piece));
  });
  return picker;
}

/** The order in which a peer with `has` is asked for pieces. */
function orderOf(picker: PiecePicker, has: string): number[] {
  const order: number[] = [];
  for (let piece = picker.pick(bitfieldOf(has)); piece !== -1; piece = picker.pick(bitfieldOf(has))) {
    order.push(piece);
    picker.remove(piece);
  }
  return order;
}

/** How often each piece is the first choice, over many seeds. */
function choices(options: Parameters<typeof draw>[0], has: string, pick?: { isFirst?: boolean }): Map<number, number> {
  const counts = new Map<number, number>();
  for (let seed = 0; seed < 400; seed++) {
    const piece = draw({ ...options, seed }).pick(bitfieldOf(has), pick);
    counts.set(piece, (counts.get(piece) ?? 0) + 1);
  }
  return counts;
}

Deno.test("PiecePicker.pick() takes the rarest first", () => {
  assertEquals(orderOf(draw({ availability: "2213", have: "*   " }), "****").slice(0, 1), [2]);
  assertEquals(orderOf(draw({ availability: "2213", have: "*   " }), "****"), [2, 1, 3]);
  assertEquals(orderOf(draw({ availability: "54321" }), "*****"), [4, 3, 2, 1, 0]);
});

Deno.test("PiecePicker.pick() never takes what we have or the peer lacks", () => {
  assertEquals(orderOf(draw({ availability: "2213", have: "* * " }), "*** "), [1]);
  assertEquals(orderOf(draw({ availability: "1111", have: "****" }), "****"), []);
  assertEquals(orderOf(draw({ availability: "1111" }), "    "), []);
});

Deno.test("PiecePicker.pick() asks a seed first for what only seeds have", () => {
  assertEquals(orderOf(draw({ availability: "1020" }), "****").slice(0, 2).toSorted(), [1, 3]);
});

Deno.test("PiecePicker.pick() breaks ties by chance", () => {
  const counts = choices({ availability: "31113" }, "*****");
  assertEquals([...counts.keys()].toSorted(), [1, 2, 3]);
  for (const [piece, count] of counts) assert(count > 80, `piece ${piece} was chosen ${count} times of 400`);
});

Deno.test("PiecePicker.pick() takes any piece while rarity does not count yet", () => {
  const counts = choices({ availability: "1999" }, "****", { isFirst: true });
  assertEquals([...counts.keys()].toSorted(), [0, 1, 2, 3]);
});

Deno.test("PiecePicker picks in order under the strategy sequential, whatever is rare", () => {
  assertEquals(orderOf(draw({ availability: "98765", have: " *   ", strategy: "sequential" }), "*****"), [0, 2, 3, 4]);
  assertEquals(orderOf(draw({ availability: "11111", strategy: "sequential" }), " * * "), [1, 3]);
});

Deno.test("PiecePicker picks a lower piece again that came back, under the strategy sequential", () => {
  const picker = draw({ availability: "1111", strategy: "sequential" });
  assertEquals(orderOf(picker, "*** "), [0, 1, 2]);
  picker.add(pieceOf(1));
  assertEquals(orderOf(picker, "****"), [1, 3]);
});

Deno.test("PiecePicker picks by chance under the strategy random, whatever is rare", () => {
  const counts = choices({ availability: "1999", strategy: "random" }, "****");
  assertEquals([...counts.keys()].toSorted(), [0, 1, 2, 3]);
});

Deno.test("PiecePicker follows peers that come and go", () => {
  const picker = draw({ availability: "1122" });
  picker.countPeer(bitfieldOf("**  "), 1);
  picker.countPeer(bitfieldOf("* **"), -1);
  assertEquals([0, 1, 2, 3].map((piece) => picker.availabilityOf(pieceOf(piece))), [1, 2, 1, 1]);
  assertEquals(orderOf(picker, "****").at(-1), 1);
});

Deno.test("PiecePicker refuses to add or remove a piece twice", () => {
  const picker = draw({ availability: "11" });
  assertThrows(() => picker.add(pieceOf(0)), Error, "can be picked already");
  picker.remove(pieceOf(0));
  assertThrows(() => picker.remove(pieceOf(0)), Error, "cannot be picked");
});

/** The same by looking at everything each time. */
class NaivePicker {
  readonly missing = new Set<number>();
  readonly availability: number[];

  constructor(pieceCount: number) {
    this.availability = new Array(pieceCount).fill(0);
    for (let piece = 0; piece < pieceCount; piece++) this.missing.add(piece);
  }

  /** All that may be picked rightly. */
  rarest(has: Bitfield): number[] {
    const candidates = [...this.missing].filter((piece) => has.has(piece));
    const least = Math.min(...candidates.map((piece) => this.availability[piece]));
    return candidates.filter((piece) => this.availability[piece] === least);
  }
}

Deno.test("PiecePicker agrees with a naive model under 40,000 seeded operations", () => {
  for (let seed = 0; seed < 20; seed++) {
    const random = seededRandom(seed);
    const below = (limit: number) => Math.floor(random() * limit);
    const pieceCount = 1 + below(40);
    const picker = new PiecePicker({ pieceCount, strategy: "rarest-first", random, isMissing: () => true });
    const naive = new NaivePicker(pieceCount);
    const peers: Bitfield[] = [];
    const operations = [
      () => { // a peer comes
        const has = Bitfield.empty(pieceCount);
        for (let piece = 0; piece < pieceCount - 1; piece++) if (random() < 0.5) has.set(piece);
        picker.countPeer(has, 1);
        peers.push(has);
      },
      () => { // a peer leaves
        const [has] = peers.splice(below(peers.length), 1);
        if (has !== undefined) picker.countPeer(has, -1);
      },
      () => { // a peer gets a piece; not its last, or the picker would leave it out
        const has = peers[below(peers.length)];
        const piece = below(pieceCount);
        if (has !== undefined && has.count < pieceCount - 1 && has.set(piece)) picker.increase(pieceOf(piece));
      },
      () => { // a piece is begun
        const piece = below(pieceCount);
        if (naive.missing.delete(piece)) picker.remove(pieceOf(piece));
      },
      () => { // a piece comes back
        const piece = below(pieceCount);
        if (naive.missing.has(piece)) return;
        naive.missing.add(piece);
        picker.add(pieceOf(piece));
      },
    ];
    for (let step = 0; step < 2_000; step++) {
      operations[below(operations.length)]();
      naive.availability.fill(0);
      for (const has of peers) {
        for (let piece = 0; piece < pieceCount; piece++) naive.availability[piece] += +has.has(piece);
      }
      const counts = naive.availability.map((_, piece) => picker.availabilityOf(pieceOf(piece)));
      assertEquals(counts, naive.availability);
      assertEquals(picker.count, naive.missing.size);
      for (const has of [Bitfield.full(pieceCount), ...peers.slice(0, 2)]) {
        const allowed = naive.rarest(has);
        const piece = picker.pick(has);
        assert(allowed.length === 0 ? piece === -1 : allowed.includes(piece), `picked ${piece} of ${allowed}`);
      }
    }
  }
});

Deno.test("PiecePicker.mayPick() is true of the rarest, of any at the start and at random, of none in sequence", () => {
  const may = (options: Parameters<typeof draw>[0], isFirst = false) =>
    [...options.availability].map((_, piece) => draw(options).mayPick(pieceOf(piece), { isFirst }));
  assertEquals(may({ availability: "2131" }), [false, true, false, true]);
  assertEquals(may({ availability: "2031", have: " *  " }), [false, true, false, true]);
  assertEquals(may({ availability: "2131" }, true), [true, true, true, true]);
  assertEquals(may({ availability: "2131", strategy: "random" }), [true, true, true, true]);
  assertEquals(may({ availability: "2131", strategy: "sequential" }, true), [false, false, false, false]);
});
