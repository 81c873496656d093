/** The kinds of crowds that picker and choker are judged by; all rates are bytes a second. */
import type { Scenario } from "./scale_crowd.ts";

/** A link of 32 Mbit/s both ways: a fair Wi-Fi. The size of the file is chosen so that it takes some seconds. */
const link = 4e6;
/** All come within a second. */
const atOnceMs = 1_000;

export const scenarios: readonly Scenario[] = [
  {
    name: "flash crowd",
    source: { uplink: link },
    receiver: (index, count) => ({ up: link, down: link, joinsAt: (index / count) * atOnceMs }),
  },
  {
    name: "slow source, told so",
    source: { uploadLimit: link / 4 },
    receiver: (index, count) => ({ up: 2 * link, down: 2 * link, joinsAt: (index / count) * atOnceMs }),
  },
  {
    name: "slow source's link",
    source: { uplink: link / 4 },
    receiver: (index, count) => ({ up: 2 * link, down: 2 * link, joinsAt: (index / count) * atOnceMs }),
  },
  {
    name: "one after the other",
    source: { uplink: link },
    receiver: (index, count) => ({ up: link, down: link, joinsAt: (index / count) * 20_000 }),
  },
  {
    name: "who is whole leaves",
    source: { uplink: link },
    receiver: (index, count) => ({ up: link, down: link, joinsAt: (index / count) * atOnceMs }),
    leavesWhenWhole: true,
  },
  {
    name: "up an eighth of down",
    source: { uplink: link },
    receiver: (index, count) => ({ up: link / 4, down: 2 * link, joinsAt: (index / count) * atOnceMs }),
  },
  {
    name: "fast and slow mixed",
    source: { uplink: link },
    receiver: (index, count) => {
      const rate = index % 4 === 0 ? link / 2 : 2 * link;
      return { up: rate, down: rate, joinsAt: (index / count) * atOnceMs };
    },
  },
];

/** @throws when there is no scenario of that name */
export function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found === undefined) throw new Error(`there is no scenario "${name}"`);
  return found;
}
