/**
 * A resume file that lies: whatever happened to it or to the files since it was written, only pieces that are right on the
 * disk are had, and the download ends with the right bytes.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createHash } from "node:crypto";
import fs from "node:fs";
import { Bitfield } from "../../lib/bitfield.ts";
import { UserError } from "../../lib/errors.ts";
import type { PieceIndex } from "../../lib/ids.ts";
import { PiecePool } from "../../lib/io/piece_pool.ts";
import { Storage } from "../../peer/io/storage.ts";
import { decodeResume, encodeResume, resumeFileName } from "../../peer/resume.ts";
import { atRest, makeSample, pieceLength, sampleBytes, TempFolder } from "../peer/io/sample_torrent.ts";

const never = new AbortController().signal;
const isWindows = Deno.build.os === "windows";

const sample = makeSample([
  { path: ["a.bin"], length: 12 * pieceLength },
  { path: ["b.bin"], length: 12 * pieceLength },
  { path: ["c", "tail.bin"], length: 6 * pieceLength + 77 },
]);
const { metainfo } = sample;
const pieceCount = metainfo.pieceCount;
/** Stored before the lie; piece 5 lies in a.bin and is none of those that are looked at by way of a sample. */
const storedFirst = Array.from({ length: pieceCount }, (_, i) => i).filter((piece) => piece !== 14 && piece !== 28);

/** A stopped download whose resume file vouches for all of its files. */
class Stopped implements AsyncDisposable {
  readonly pool = new PiecePool({ workerCount: 1 });
  readonly #storages: Storage[] = [];
  private constructor(readonly folder: TempFolder) {}

  /** Makes many at once, since each has to rest for a second. */
  static async make(count: number): Promise<Stopped[]> {
    const all: Stopped[] = [];
    for (let i = 0; i < count; i++) all.push(new Stopped(await TempFolder.make()));
    const storages = await Promise.all(all.map((stopped) => stopped.check()));
    for (const [i, stopped] of all.entries()) await stopped.store(storages[i], storedFirst);
    for (const stopped of all) for (const path of stopped.paths) await atRest(path);
    for (const storage of storages) {
      await storage.saveResume();
      await storage.close();
    }
    return all;
  }

  get paths(): string[] {
    return metainfo.files.map((_, i) => sample.pathOf(this.folder.path, i));
  }

  get resumePath(): string {
    return this.folder.at(resumeFileName(metainfo));
  }

  async check(onProgress: (bytes: number) => void = () => {}): Promise<Storage> {
    const storage = await Storage.open({
      metainfo,
      directory: this.folder.path,
      mode: "download",
      pool: this.pool,
      resume: true,
    });
    this.#storages.push(storage);
    await storage.check(onProgress, never);
    return storage;
  }

  async store(storage: Storage, pieces: Iterable<number>): Promise<void> {
    for (const piece of pieces) await storage.storePiece(piece as PieceIndex, sample.piece(piece));
  }

  /** What is had is right, nothing right is missed, and the download can be brought to its end. */
  async expectTruth(): Promise<void> {
    const storage = await this.check();
    const had = Array.from({ length: pieceCount }, (_, i) => i).filter((piece) => storage.have.has(piece));
    assertEquals(had, this.#rightPieces());
    await this.store(storage, Array.from({ length: pieceCount }, (_, i) => i).filter((i) => !storage.have.has(i)));
    await storage.finish();
    this.paths.forEach((path, i) => assertEquals(Deno.readFileSync(path), sample.contents[i]));
    assertEquals(Array.from(Deno.readDirSync(this.folder.path), ({ name }) => name), ["sample"]);
  }

  #rightPieces(): number[] {
    const whole = new Uint8Array(metainfo.totalLength);
    const isThere = new Uint8Array(metainfo.totalLength);
    let at = 0;
    for (const [i, path] of this.paths.entries()) {
      if (fs.existsSync(path)) {
        const bytes = fs.readFileSync(path).subarray(0, metainfo.files[i].length);
        whole.set(bytes, at);
        isThere.fill(1, at, at + bytes.length);
      }
      at += metainfo.files[i].length;
    }
    return Array.from({ length: pieceCount }, (_, i) => i).filter((piece) => {
      const [start, end] = [piece * pieceLength, Math.min((piece + 1) * pieceLength, whole.length)];
      const digest = createHash("sha1").update(whole.subarray(start, end)).digest();
      return !isThere.subarray(start, end).includes(0) &&
        digest.equals(metainfo.pieces.subarray(20 * piece, 20 * piece + 20));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const storage of this.#storages) await storage.close();
    this.pool.close();
    await this.folder[Symbol.asyncDispose]();
  }
}

/** Does something to a file and gives it back the times that it had. */
function keepingTimes(path: string, change: () => void): void {
  const { atime, mtime } = Deno.statSync(path);
  change();
  Deno.utimeSync(path, atime!, mtime!);
  assertEquals(Deno.statSync(path).mtime, mtime);
}

function writeAt(path: string, offset: number, bytes: Uint8Array): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(offset, Deno.SeekMode.Start);
  file.writeSync(bytes);
}

const otherBytes = sampleBytes(pieceLength, 99);

/** What may happen to the data while nobody looks. */
const changes: Record<string, (stopped: Stopped) => void> = {
  "a byte changed, length and times kept": ({ paths: [a] }) =>
    keepingTimes(a, () => writeAt(a, 5 * pieceLength + 9, Uint8Array.of(0))),
  "a piece changed": ({ paths: [a] }) => writeAt(a, 5 * pieceLength, otherBytes),
  "a file cut": ({ paths: [, b] }) => Deno.truncateSync(b, 5 * pieceLength + 11),
  "a file cut and stretched again, times kept": ({ paths: [, b] }) =>
    keepingTimes(b, () => {
      Deno.truncateSync(b, 7 * pieceLength);
      Deno.truncateSync(b, 12 * pieceLength);
    }),
  "a file too long, its times kept": ({ paths: [a] }) => {
    keepingTimes(a, () => Deno.truncateSync(a, 12 * pieceLength + 1));
    Deno.truncateSync(a, 12 * pieceLength);
  },
  "two files swapped": ({ paths: [a, b], folder }) => {
    Deno.renameSync(a, folder.at("x"));
    Deno.renameSync(b, a);
    Deno.renameSync(folder.at("x"), b);
  },
  "a file of the same length and times moved over one": ({ paths: [a], folder }) => {
    const { atime, mtime } = Deno.statSync(a);
    const older = Deno.readFileSync(a);
    older.fill(0, 5 * pieceLength, 6 * pieceLength);
    Deno.writeFileSync(folder.at("x"), older);
    Deno.utimeSync(folder.at("x"), atime!, mtime!);
    Deno.renameSync(folder.at("x"), a);
  },
  "a file gone": ({ paths: [, b] }) => Deno.removeSync(b),
  "all files gone": ({ folder }) => Deno.removeSync(folder.at("sample"), { recursive: true }),
};

/** What may happen to the resume file. */
const lies: Record<string, (stopped: Stopped, bytes: Uint8Array<ArrayBuffer>) => void> = {
  "half of it": ({ resumePath }, bytes) => Deno.writeFileSync(resumePath, bytes.subarray(0, bytes.length >> 1)),
  nothing: ({ resumePath }) => Deno.truncateSync(resumePath, 0),
  "a bit of it changed": ({ resumePath }, bytes) =>
    Deno.writeFileSync(resumePath, bytes.map((byte, i) => i === bytes.length >> 1 ? byte ^ 8 : byte)),
  "one of zeros, as a power cut leaves it": ({ resumePath }, bytes) =>
    Deno.writeFileSync(resumePath, new Uint8Array(bytes.length)),
  "another torrent's": ({ resumePath }) => {
    const other = makeSample([{ path: ["other"], length: 31 * pieceLength }]).metainfo;
    const have = Bitfield.empty(pieceCount);
    for (let piece = 0; piece < pieceCount; piece++) have.set(piece);
    Deno.writeFileSync(resumePath, encodeResume({ infoHash: other.infoHash, have, files: [] }));
  },
  "another version's": ({ resumePath }, bytes) => {
    const text = new TextDecoder("latin1").decode(bytes).replace("localbt resume 2", "localbt resume 1");
    Deno.writeFileSync(resumePath, Uint8Array.from(text, (character) => character.charCodeAt(0)));
  },
  "a huge one": ({ resumePath }) => Deno.truncateSync(resumePath, 2 ** 36),
  none: ({ resumePath }) => Deno.removeSync(resumePath),
  "one beside the rest of an unfinished write": ({ resumePath }, bytes) =>
    Deno.writeFileSync(`${resumePath}.tmp`, bytes.subarray(0, 20)),
  "one that says more than there is": ({ resumePath }, bytes) => {
    const state = decodeResume(bytes, { infoHash: metainfo.infoHash, pieceCount, fileCount: metainfo.files.length })!;
    for (let piece = 0; piece < pieceCount; piece++) state.have.set(piece);
    const files = state.files.map((file) => ({ ...file, mtimeMs: file.mtimeMs + 1 }));
    Deno.writeFileSync(resumePath, encodeResume({ ...state, files }));
  },
  ...(isWindows ? {} : {
    "a link to one": ({ resumePath, folder }) => {
      Deno.renameSync(resumePath, folder.at("sample", "c", "elsewhere"));
      Deno.symlinkSync(folder.at("sample", "c", "elsewhere"), resumePath);
    },
  }),
};

Deno.test("Storage believes what a resume file vouches for, without hashing it", async () => {
  const [stopped] = await Stopped.make(1);
  await using _ = stopped;
  const seen: number[] = [];
  const storage = await stopped.check((bytes) => seen.push(bytes));
  assertEquals([storage.have.count, seen], [storedFirst.length, [metainfo.totalLength]]);
});

Deno.test("Storage has only what is right, whatever happened to the files after the resume file", async (t) => {
  const all = await Stopped.make(Object.keys(changes).length);
  for (const [i, [what, change]] of Object.entries(changes).entries()) {
    await t.step(what, async () => {
      await using stopped = all[i];
      change(stopped);
      await stopped.expectTruth();
    });
  }
});

Deno.test("Storage has all that is right and no more, whatever the resume file says", async (t) => {
  const all = await Stopped.make(Object.keys(lies).length);
  for (const [i, [what, lie]] of Object.entries(lies).entries()) {
    await t.step(what, async () => {
      await using stopped = all[i];
      lie(stopped, Deno.readFileSync(stopped.resumePath));
      await stopped.expectTruth();
    });
  }
});

Deno.test("Storage says what is in the place of its resume file, and leaves it alone", async () => {
  await using stopped = (await Stopped.make(1))[0];
  await Deno.remove(stopped.resumePath);
  await Deno.mkdir(`${stopped.resumePath}/kept`, { recursive: true });
  await assertRejects(() => stopped.check(), UserError, stopped.resumePath);
  assert(fs.existsSync(`${stopped.resumePath}/kept`));
});

Deno.test("Storage does not believe a resume file of before the files' last change within the clock's tick", async () => {
  await using stopped = (await Stopped.make(1))[0];
  const storage = await stopped.check();
  await stopped.store(storage, [14]);
  await storage.saveResume(); // at once: a.bin rests, b.bin does not
  await storage.close();
  const [, b] = stopped.paths;
  keepingTimes(b, () => writeAt(b, 3 * pieceLength, otherBytes));
  await stopped.expectTruth();
});

Deno.test({
  name: "Storage writes to nothing that took the place of its files",
  ignore: isWindows,
  async fn(t) {
    const { code } = new Deno.Command("mkfifo", { args: ["--version"], stdout: "null" }).outputSync();
    const intruders: Record<string, (path: string, folder: TempFolder) => void> = {
      "a folder": (path) => Deno.mkdirSync(path),
      "a link": (path, folder) => Deno.symlinkSync(folder.at("outside"), path),
      ...(code === 0 && { "a fifo": (path: string) => void new Deno.Command("mkfifo", { args: [path] }).outputSync() }),
      "a file of somebody else": (path) => Deno.writeFileSync(path, sampleBytes(12 * pieceLength, 55)),
      "a longer file of somebody else": (path) => Deno.writeFileSync(path, sampleBytes(13 * pieceLength, 56)),
    };
    const all = await Stopped.make(Object.keys(intruders).length);
    for (const [i, [what, put]] of Object.entries(intruders).entries()) {
      await t.step(what, async () => {
        await using stopped = all[i];
        const [a] = stopped.paths;
        Deno.renameSync(a, stopped.folder.at("kept")); // so that the number of the file is not given out again
        put(a, stopped.folder);
        const before = Deno.lstatSync(a);
        await assertRejects(() => stopped.check(), UserError, a);
        const { size, mtime, ino } = Deno.lstatSync(a);
        assertEquals({ size, mtime, ino }, { size: before.size, mtime: before.mtime, ino: before.ino });
        assert(!fs.existsSync(stopped.folder.at("outside")));
      });
    }
  },
});

Deno.test("Storage.finish() does not call a download whole whose file was removed, replaced or changed meanwhile", async (t) => {
  // nothing was written to the first file since it was looked at, but to the second
  const intrusions: Record<string, (path: string, writtenPath: string) => void> = {
    removed: (path) => Deno.removeSync(path),
    "removed after it was written to": (_, path) => Deno.removeSync(path),
    "cut after it was written to": (_, path) => Deno.truncateSync(path, 5 * pieceLength),
    "replaced by one of the same length": (path) => {
      Deno.writeFileSync(`${path}.new`, new Uint8Array(12 * pieceLength));
      Deno.renameSync(`${path}.new`, path);
    },
    "changed, its times kept": (path) => keepingTimes(path, () => writeAt(path, pieceLength, otherBytes)),
  };
  const all = await Stopped.make(Object.keys(intrusions).length);
  for (const [i, [what, intrude]] of Object.entries(intrusions).entries()) {
    await t.step(what, async () => {
      await using stopped = all[i];
      const storage = await stopped.check();
      await stopped.store(storage, [14, 28]);
      intrude(stopped.paths[0], stopped.paths[1]);
      await assertRejects(() => storage.finish(), UserError, "another program");
      await storage.close();
      await stopped.expectTruth();
    });
  }
});
