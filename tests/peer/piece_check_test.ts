import { assert, assertEquals, assertFalse } from "@std/assert";
import { Bitfield } from "../../lib/bitfield.ts";
import { type InfoHash, parseInfoHash } from "../../lib/ids.ts";
import { PieceStatus } from "../../lib/piece_status.ts";
import { isSameFile, ownFiles, planCheck, sampleOf, settlesAt, vouchedFiles } from "../../peer/piece_check.ts";
import { type FileStamp, noFile, type ResumeFile, type ResumeState } from "../../peer/resume.ts";
import { makeSample } from "./io/sample_torrent.ts";

const infoHash = parseInfoHash("0123456789abcdef0123456789abcdef01234567") as InfoHash;
const stamp: FileStamp = { length: 100, mtimeMs: 1_795_362_528_334, ctimeMs: 1_795_362_528_000, inode: 7 };

function savedAs(...files: Partial<ResumeFile>[]): ResumeState {
  const full = files.map((file) => ({ ...stamp, vouches: true, createdByUs: true, ...file }));
  return { infoHash, have: Bitfield.empty(1), files: full };
}

Deno.test("isSameFile() sees every difference of a stamp, and none between two absences", () => {
  assert(isSameFile(stamp, { ...stamp }));
  for (const [key, value] of Object.entries(stamp)) assertFalse(isSameFile(stamp, { ...stamp, [key]: value + 1 }), key);
  assert(isSameFile(noFile, { ...noFile }));
  assertFalse(isSameFile(noFile, { ...stamp, length: 0 }));
});

Deno.test("settlesAt() waits for the tick of the clock that cannot be set back", () => {
  assertEquals(settlesAt(stamp), 1_795_362_529_020);
  assertEquals(settlesAt({ ...stamp, ctimeMs: 0 }), 1_795_362_529_354, "where there is only the time of the data");
  assertEquals(settlesAt({ ...stamp, mtimeMs: 1_795_362_528_000 }), 1_795_362_530_020, "FAT counts in two seconds");
});

Deno.test("vouchedFiles() believes the same file, one that is still absent, and no other", () => {
  assertEquals(vouchedFiles(savedAs({}, {}), [stamp, { ...stamp, ctimeMs: stamp.ctimeMs + 1000 }]), [true, false]);
  assertEquals(vouchedFiles(savedAs({ vouches: false }), [stamp]), [false]);
  assertEquals(vouchedFiles(savedAs({ ...noFile, vouches: false }), [noFile]), [true]);
  assertEquals(vouchedFiles(savedAs({ ...noFile }), [stamp]), [false]);
  assertEquals(vouchedFiles(savedAs({}), [noFile]), [false]);
  assertEquals(vouchedFiles(undefined, [stamp, noFile]), [false, false]);
});

Deno.test("ownFiles() knows our files by their numbers, also in each other's place", () => {
  const own = (saved: ResumeState | undefined, states: FileStamp[], isWanted = () => true) =>
    ownFiles(saved, { states, isWanted });
  const [seven, eight] = [stamp, { ...stamp, inode: 8 }];
  assertEquals(own(savedAs(seven, eight), [eight, seven]), [true, true]);
  assertEquals(own(savedAs(seven), [eight]), [false], "somebody's file in the place of ours");
  assertEquals(own(savedAs({ createdByUs: false }), [seven]), [false]);
  assertEquals(own(savedAs({ ...noFile }), [eight]), [true], "made since the resume file was written");
  assertEquals(own(savedAs({ inode: 0 }), [{ ...stamp, inode: 0 }]), [true], "where files have no numbers");
  assertEquals(own(undefined, [seven, noFile]), [false, true]);
  assertEquals(own(savedAs({}), [noFile], () => false), [false], "what is not wanted is not made");
});

Deno.test("planCheck() hashes what no file vouches for, and lets an absent file make its pieces absent", () => {
  const { metainfo } = makeSample([{ path: ["a"], length: 3 * 65_536 }, { path: ["b"], length: 65_536 }]);
  const have = Bitfield.empty(4);
  for (const piece of [0, 1, 3]) have.set(piece);
  const plan = (states: FileStamp[], vouched: boolean[]) => planCheck({ metainfo, states, have, vouched });
  const { good, badWithGap, absent } = PieceStatus;
  const believed = plan([stamp, stamp], [true, true]);
  assertEquals([...believed.statuses], [good, good, badWithGap, good]);
  assertEquals([believed.toCheckBytes, believed.believed], [0, [0, 1, 3]]);
  const doubted = plan([stamp, stamp], [false, true]);
  assertEquals([[...doubted.mustCheck], doubted.believed], [[1, 1, 1, 0], [3]]);
  const gone = plan([stamp, noFile], [true, false]);
  assertEquals([[...gone.statuses], gone.toCheckBytes], [[good, good, badWithGap, absent], 0]);
});

Deno.test("sampleOf() takes the first, the last and some between", () => {
  assertEquals(sampleOf([3, 5]), [3, 5]);
  const sample = sampleOf(Array.from({ length: 100 }, (_, i) => i));
  assertEquals([sample.length, sample[0], sample.at(-1)], [8, 0, 99]);
});
