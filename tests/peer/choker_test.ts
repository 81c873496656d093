import { assert, assertEquals, assertGreater } from "@std/assert";
import { chokeRoundMs, optimisticMs } from "../../lib/limits/transfer.ts";
import { type ChokeCandidate, chooseUnchoked } from "../../peer/choker.ts";
import { seededRandom } from "../lib/mutations.ts";

interface NamedCandidate extends ChokeCandidate {
  readonly name: string;
}

/** Interested and choked unless told otherwise. */
function peer(name: string, changes: Partial<ChokeCandidate> = {}): NamedCandidate {
  return { name, isInterested: true, isUnchoked: false, changedAt: 0, downRate: 0, ...changes };
}

function choose(
  peers: readonly NamedCandidate[],
  { isSeeding = false, now = 100_000, seed = 1, slots = 4 } = {},
): string[] {
  const chosen = chooseUnchoked(peers, { isSeeding, now, random: seededRandom(seed), slots });
  return [...chosen].map(({ name }) => name).toSorted();
}

Deno.test("chooseUnchoked() unchokes all who are interested while there are slots", () => {
  const peers = [peer("a"), peer("b", { isInterested: false }), peer("c", { isUnchoked: true }), peer("d")];
  assertEquals(choose(peers), ["a", "c", "d"]);
  assertEquals(choose([]), []);
});

Deno.test("chooseUnchoked() fills the slots and not more", () => {
  const peers = Array.from({ length: 30 }, (_, index) => peer(`p${index}`));
  for (const isSeeding of [false, true]) {
    for (const slots of [1, 2, 4, 29]) assertEquals(choose(peers, { isSeeding, slots }).length, slots);
  }
});

Deno.test("chooseUnchoked() favours who gives most while we download", () => {
  const peers = Array.from({ length: 10 }, (_, index) => peer(`p${index}`, { downRate: index }));
  const chosen = choose(peers);
  assert(chosen.includes("p9") && chosen.includes("p8"), `chose ${chosen}`);
});

Deno.test("chooseUnchoked() gives some slots by chance, so that who gives nothing gets its first pieces", () => {
  const peers = Array.from({ length: 20 }, (_, index) => peer(`p${index}`, { downRate: index < 10 ? 1000 : 0 }));
  const lucky = new Set<string>();
  for (let seed = 0; seed < 100; seed++) for (const name of choose(peers, { seed })) lucky.add(name);
  assertGreater(lucky.size, 15);
});

Deno.test("chooseUnchoked() leaves an optimistic slot with its peer until its time is over", () => {
  const others = Array.from({ length: 20 }, (_, index) => peer(`p${index}`, { downRate: 1000 - index }));
  const isIn = (now: number, seed: number) =>
    choose([...others, peer("new", { isUnchoked: true, changedAt: 0 })], { now, seed }).includes("new");
  for (let seed = 0; seed < 20; seed++) assert(isIn(optimisticMs - 1, seed));
  const stays = Array.from({ length: 100 }, (_, seed) => isIn(optimisticMs, seed)).filter(Boolean).length;
  assert(stays < 50, `it kept its slot ${stays} times of 100`);
});

Deno.test("chooseUnchoked() lets those have a turn who waited longest, as a seeder", () => {
  const holding = [1, 2, 3, 4].map((n) => peer(`old${n}`, { isUnchoked: true, changedAt: 10_000 * n }));
  const waiting = [1, 2, 3, 4].map((n) => peer(`new${n}`, { changedAt: 10_000 * n }));
  const chosen = choose([...holding, ...waiting], { isSeeding: true, slots: 4 });
  assert(chosen.includes("new1") && chosen.includes("new2"), `chose ${chosen}`);
});

Deno.test("chooseUnchoked() ends the longest turn first where nobody new waits for all slots, as a seeder", () => {
  const holding = Array.from({ length: 6 }, (_, n) => peer(`old${n}`, { isUnchoked: true, changedAt: 1_000 * n }));
  const [stays, goes] = [0, 1].map(() => new Set<string>());
  for (let seed = 0; seed < 50; seed++) {
    const chosen = choose([...holding, peer("new")], { isSeeding: true, slots: 4, seed });
    for (const { name } of holding) (chosen.includes(name) ? stays : goes).add(name);
    assert(chosen.includes("new") && chosen.includes("old5"), `chose ${chosen}`);
  }
  assert(goes.has("old0") && !goes.has("old5"));
});

Deno.test("chooseUnchoked() does not end a turn before two rounds, as a seeder", () => {
  const now = 100_000;
  const fresh = [1, 2].map((n) => peer(`fresh${n}`, { isUnchoked: true, changedAt: now - 2 * chokeRoundMs + 1 }));
  const waiting = Array.from({ length: 20 }, (_, n) => peer(`new${n}`));
  const chosen = choose([...fresh, ...waiting], { isSeeding: true, now });
  assert(chosen.includes("fresh1") && chosen.includes("fresh2"), `chose ${chosen}`);
});

Deno.test("chooseUnchoked() gives everyone a turn, as a seeder, in a number of rounds that the slots allow", () => {
  let peers = Array.from({ length: 40 }, (_, index) => peer(`p${index}`));
  const served = new Set<string>();
  const random = seededRandom(3);
  for (let now = 0; now <= 12 * 2 * chokeRoundMs; now += chokeRoundMs) {
    const chosen = chooseUnchoked(peers, { isSeeding: true, now, random, slots: 8 });
    peers = peers.map((candidate) => {
      const isUnchoked = chosen.has(candidate);
      if (isUnchoked) served.add(candidate.name);
      return isUnchoked === candidate.isUnchoked ? candidate : { ...candidate, isUnchoked, changedAt: now };
    });
  }
  assertEquals(served.size, 40);
});
