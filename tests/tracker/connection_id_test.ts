import { assert, assertEquals, assertFalse, assertNotEquals } from "@std/assert";
import { type Bytes, writeUint32 } from "../../lib/bytes.ts";
import { encodeAddress } from "../../lib/endpoint.ts";
import { ConnectionIds } from "../../tracker/connection_id.ts";

const secret = new Uint8Array(16).map((_, i) => 7 * i);
const ids = new ConnectionIds(secret);
const address = encodeAddress("10.0.0.2");

function mint(of: ConnectionIds, address: Bytes, now: number): Bytes {
  const { high, low } = of.mint(address, now);
  const id = new Uint8Array(8);
  writeUint32(id, 0, high);
  writeUint32(id, 4, low);
  return id;
}

Deno.test("ConnectionIds.isGood() takes an id for 120 s and no longer", () => {
  for (const now of [0, 999, 5_000_000, 65_535_000, 65_536_000, 2 ** 42]) {
    const id = mint(ids, address, now);
    for (const age of [0, 1000, 60_000, 120_000]) assert(ids.isGood(id, address, now + age), `${now} + ${age}`);
    for (const age of [121_000, 200_000, 3_600_000]) {
      assertFalse(ids.isGood(id, address, now + age), `${now} + ${age}`);
    }
  }
});

Deno.test("ConnectionIds.isGood() takes no id a turn of its clock later, and none from the future", () => {
  const id = mint(ids, address, 1000);
  assertFalse(ids.isGood(id, address, 1000 + 65_536_000));
  assertFalse(ids.isGood(mint(ids, address, 60_000), address, 1000));
});

Deno.test("ConnectionIds.isGood() takes an id from its own address only", () => {
  const others = ["10.0.0.3", "127.0.0.1", "::a00:2", "fd00::2"].map(encodeAddress);
  const id = mint(ids, address, 1000);
  for (const other of others) assertFalse(ids.isGood(id, other, 1000));
  const address6 = encodeAddress("fd00::2");
  const id6 = mint(ids, address6, 1000);
  assert(ids.isGood(id6, address6, 1000));
  assertFalse(ids.isGood(id6, encodeAddress("fd00::3"), 1000));
  assertFalse(ids.isGood(id6, address, 1000));
});

Deno.test("ConnectionIds.isGood() takes no id with a bit changed", () => {
  const id = mint(ids, address, 200_000_000);
  for (let bit = 0; bit < 64; bit++) {
    const forged = id.with(bit >> 3, id[bit >> 3] ^ (1 << (bit & 7)));
    assertFalse(ids.isGood(forged, address, 200_000_000), `bit ${bit}`);
    assertFalse(ids.isGood(forged, address, 200_090_000), `bit ${bit}, later`);
  }
});

Deno.test("ConnectionIds.mint() depends on the secret and on the moment", () => {
  const others = new ConnectionIds(secret.with(15, 1));
  assertNotEquals(mint(others, address, 1000), mint(ids, address, 1000));
  assertFalse(ids.isGood(mint(others, address, 1000), address, 1000));
  assertEquals(mint(ids, address, 1000), mint(ids, address, 1999));
  assertNotEquals(mint(ids, address, 1000).slice(2), mint(ids, address, 2000).slice(2));
});
