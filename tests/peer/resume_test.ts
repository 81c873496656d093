import { assertEquals, assertNotEquals } from "@std/assert";
import { decodeBencode, dictionaryOf, encodeBencode } from "../../lib/bencode.ts";
import { bytesAt } from "../../lib/bencode.ts";
import { Bitfield } from "../../lib/bitfield.ts";
import { type InfoHash, parseInfoHash } from "../../lib/ids.ts";
import {
  decodeResume,
  encodeResume,
  isNameOfOurs,
  lockFileName,
  noFile,
  partFileName,
  resumeFileName,
  type ResumeState,
} from "../../peer/resume.ts";

const infoHash = parseInfoHash("0123456789abcdef0123456789abcdef01234567") as InfoHash;
const other = parseInfoHash("1123456789abcdef0123456789abcdef01234567") as InfoHash;

function sampleState(): ResumeState {
  const have = Bitfield.empty(13);
  for (const piece of [0, 5, 12]) have.set(piece);
  const files = [
    { length: 0, mtimeMs: 0, ctimeMs: 0, inode: 0, vouches: true, createdByUs: false },
    {
      length: 6 * 2 ** 40 + 5,
      mtimeMs: 1_795_362_528_334,
      ctimeMs: 1_795_362_529_000,
      inode: 2 ** 53 - 1,
      vouches: false,
      createdByUs: true,
    },
    { ...noFile, vouches: false, createdByUs: true },
  ];
  return { infoHash, have, files };
}

const expected = { infoHash, pieceCount: 13, fileCount: 3 };

Deno.test("decodeResume() gives back what encodeResume() was given", () => {
  const state = sampleState();
  const decoded = decodeResume(encodeResume(state), expected);
  assertEquals(decoded?.files, state.files);
  assertEquals(decoded?.have.encode(), state.have.encode());
});

Deno.test("decodeResume() does not believe a file that was cut at any place", () => {
  const bytes = encodeResume(sampleState());
  for (let length = 0; length < bytes.length; length++) {
    assertEquals(decodeResume(bytes.subarray(0, length), expected), undefined, `cut at ${length}`);
  }
});

Deno.test("decodeResume() does not believe a file with one bit changed anywhere", () => {
  const bytes = encodeResume(sampleState());
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const changed = bytes.slice();
    changed[bit >> 3] ^= 1 << (bit & 7);
    assertEquals(decodeResume(changed, expected), undefined, `bit ${bit}`);
  }
});

Deno.test("decodeResume() does not believe a file of another torrent or of another shape", () => {
  const bytes = encodeResume(sampleState());
  assertEquals(decodeResume(bytes, { ...expected, infoHash: other }), undefined);
  assertEquals(decodeResume(bytes, { ...expected, pieceCount: 20 }), undefined);
  assertEquals(decodeResume(bytes, { ...expected, fileCount: 4 }), undefined);
  assertEquals(decodeResume(encodeBencode({ state: "x", checksum: "y" }), expected), undefined);
  assertEquals(decodeResume(new TextEncoder().encode("not a resume file"), expected), undefined);
});

Deno.test("encodeResume() leaves the state readable by any bencode decoder", () => {
  const outer = dictionaryOf(decodeBencode(encodeResume(sampleState())), "outer");
  const inner = dictionaryOf(decodeBencode(bytesAt(outer, "state")!), "inner");
  assertEquals(Array.from(inner, ([key]) => key), ["files", "format", "have", "info hash"]);
});

Deno.test("resumeFileName() is hidden, tells torrents apart and fits a file system", () => {
  assertEquals(resumeFileName({ name: "holiday", infoHash }), ".holiday.01234567.localbt-resume");
  const long = resumeFileName({ name: "ж".repeat(120), infoHash });
  assertEquals(new TextEncoder().encode(`${long}.tmp`).length <= 255, true);
  assertEquals(long.includes("\ufffd"), false);
});

Deno.test("lockFileName() is that of the name, whatever the torrent and its capitals", () => {
  assertEquals(lockFileName({ name: "Holiday" }).slice(-22), lockFileName({ name: "holiday" }).slice(-22));
  assertNotEquals(lockFileName({ name: "x".repeat(250) }), lockFileName({ name: "x".repeat(251) }));
});

Deno.test("isNameOfOurs() knows every name that we write beside a download", () => {
  const torrent = { name: "x", infoHash };
  for (const name of [resumeFileName(torrent), partFileName(torrent), lockFileName(torrent)]) {
    assertEquals([name, `${name}.tmp`, name.toUpperCase()].map(isNameOfOurs), [true, true, true]);
  }
  assertEquals(["x", "localbt-resume", ".x.localbt", "x.localbt-resume.bin"].map(isNameOfOurs), Array(4).fill(false));
});
