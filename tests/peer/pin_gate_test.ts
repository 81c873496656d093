import { assertEquals } from "@std/assert";
import { PinGate } from "../../peer/pin_gate.ts";

/** How many of so many tries are let in. */
function tries(
  gate: PinGate,
  { host, count, now = 0 }: { host: string | ((i: number) => string); count: number; now?: number },
): number {
  let admitted = 0;
  for (let i = 0; i < count; i++) if (gate.admits(typeof host === "string" ? host : host(i), now)) admitted++;
  return admitted;
}

Deno.test("PinGate lets one address try five times, and then once in twenty seconds", () => {
  const gate = new PinGate();
  assertEquals(tries(gate, { host: "10.0.0.9", count: 50 }), 5);
  assertEquals(tries(gate, { host: "10.0.0.9", count: 50, now: 19_999 }), 0);
  assertEquals(tries(gate, { host: "10.0.0.9", count: 50, now: 20_000 }), 1);
  assertEquals(tries(gate, { host: "10.0.0.9", count: 50, now: 100_000 }), 4);
});

Deno.test("PinGate gives the try back to who was right", () => {
  const gate = new PinGate();
  for (let i = 0; i < 100; i++) {
    assertEquals(gate.admits("10.0.0.9", 0), true);
    gate.giveBack("10.0.0.9", 0);
  }
});

Deno.test("PinGate takes nothing from the others when one address uses up its tries", () => {
  const gate = new PinGate();
  tries(gate, { host: "10.0.0.9", count: 10_000 });
  assertEquals(tries(gate, { host: "10.0.0.8", count: 5 }), 5);
});

Deno.test("PinGate lets many addresses together try twenty times, and then once in twenty seconds", () => {
  const gate = new PinGate();
  assertEquals(tries(gate, { host: (i) => `10.0.${i >> 8}.${i & 255}`, count: 5_000 }), 20);
  assertEquals(tries(gate, { host: (i) => `10.1.${i >> 8}.${i & 255}`, count: 5_000, now: 60_000 }), 3);
});

Deno.test("PinGate counts a network of IPv6 as one address", () => {
  assertEquals(tries(new PinGate(), { host: (i) => `fd00::${i + 1}`, count: 50 }), 5);
});
