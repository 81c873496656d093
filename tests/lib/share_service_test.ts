import { assert, assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/errors.ts";
import { parseInfoHash } from "../../lib/ids.ts";
import { decodeShareText, encodeShareText, instanceName, type ShareService } from "../../lib/share_service.ts";

const infoHash = parseInfoHash("ab".repeat(20))!;
const share: ShareService = {
  name: "holiday",
  hostName: "laptop",
  infoHash,
  totalLength: 5,
  fileCount: 1,
  peerPort: 6881,
  index: 0,
};
const text = (...entries: string[]) => entries.map((entry) => new TextEncoder().encode(entry));
const whole = ["v=1", "n=x", `ih=${infoHash}`, "s=5", "f=1", "p=6881", "i=0"];

Deno.test("encodeShareText() writes the keys that the table names, and no info hash where a PIN is on", () => {
  const entries = encodeShareText(share).map((entry) => new TextDecoder().decode(entry));
  assertEquals(entries, ["v=1", "n=holiday", "h=laptop", `ih=${infoHash}`, "s=5", "f=1", "p=6881", "i=0"]);
  const pinned = encodeShareText({ ...share, infoHash: undefined }).map((entry) => new TextDecoder().decode(entry));
  assert(pinned.includes("pin=1"));
  assert(!pinned.some((entry) => entry.startsWith("ih=")));
});

Deno.test("decodeShareText() reads them in any order and case, and the first of a kind", () => {
  assertEquals(decodeShareText(encodeShareText(share)), share);
  assertEquals(decodeShareText(text(...whole.toReversed(), "N=other")).name, "x");
  assertEquals(decodeShareText(text("V=1", ...whole.slice(1))).infoHash, infoHash);
});

Deno.test("decodeShareText() refuses what tells of no share", () => {
  for (const missing of whole) {
    assertThrows(() => decodeShareText(text(...whole.filter((entry) => entry !== missing))), ProtocolError);
  }
  for (const bad of ["v=2", "n=", "ih=12", "s=-1", "s=1e9", "s=99999999999999999", "p=0", "p=65536", "i=64", "i="]) {
    const key = bad.slice(0, bad.indexOf("=") + 1);
    assertThrows(
      () => decodeShareText(text(...whole.filter((entry) => !entry.startsWith(key)), bad)),
      ProtocolError,
      "",
      bad,
    );
  }
});

Deno.test("instanceName() is one label of at most 63 bytes without dots, and numbered where it is taken", () => {
  assertEquals(instanceName(share, 1), "holiday on laptop._localbt._tcp.local");
  assertEquals(instanceName(share, 2), "holiday on laptop (2)._localbt._tcp.local");
  assertEquals(instanceName({ ...share, name: "a.b\\c\x07d", hostName: "" }, 1), "a b c d._localbt._tcp.local");
  for (const name of ["ü".repeat(200), "大".repeat(200), "😀".repeat(99), "...", "\ud800"]) {
    const label = instanceName({ ...share, name, hostName: "ß".repeat(90) }, 99).replace("._localbt._tcp.local", "");
    const { length } = new TextEncoder().encode(label);
    assert(length > 4 && length <= 63 && !label.includes("."), `${length} ${label}`);
  }
});
