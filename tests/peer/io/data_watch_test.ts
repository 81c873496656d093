import { assert, assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../../lib/errors.ts";
import type { PieceIndex } from "../../../lib/ids.ts";
import { PiecePool } from "../../../lib/io/piece_pool.ts";
import { lookSeconds, recheckMinMs, recheckRestMs, recheckSoonMs } from "../../../lib/limits/disk.ts";
import type { Input } from "../../../peer/events.ts";
import { DataWatch } from "../../../peer/io/data_watch.ts";
import { Storage } from "../../../peer/io/storage.ts";
import { waitFor } from "../../interop/wait.ts";
import { makeSample, pieceLength, TempFolder } from "./sample_torrent.ts";

const isWindows = Deno.build.os === "windows";
/** Pieces 0 and 1, 2 and 3, 4 and 5. */
const sample = makeSample(["a", "b", "c"].map((name) => ({ path: [name], length: 2 * pieceLength })));

/** A seeder's files, its watch, and a clock that is set by hand. */
class Stage implements AsyncDisposable {
  now = 0;
  /** What came out of it: `lost 2 3`, `wrong b: it is gone`. */
  readonly said: string[] = [];
  readonly watch: DataWatch;

  private constructor(readonly folder: TempFolder, readonly pool: PiecePool, readonly storage: Storage) {
    this.watch = new DataWatch({
      files: storage.verified,
      isTrusted: storage.isTrusted,
      now: () => this.now,
      apply: (input) => this.said.push(describe(input)),
      tell: (news) => {
        const name = news.path.slice(-1);
        this.said.push(news.kind === "fileRight" ? `right ${name}` : `wrong ${name}: ${news.why}`);
      },
      onFault: (error) => {
        throw error;
      },
    });
  }

  /** @param spoil what is done to the files before they are looked at */
  static async open({ isTrusted = false, spoil = () => {} }: {
    isTrusted?: boolean;
    spoil?: (path: (name: string) => string) => void;
  } = {}): Promise<Stage> {
    const folder = await TempFolder.make();
    const directory = folder.at("data");
    await sample.write(directory);
    spoil((name) => folder.at("data", "sample", name));
    const pool = new PiecePool({ workerCount: 1 });
    const storage = await Storage.open({ metainfo: sample.metainfo, directory, mode: "seed", pool, resume: true });
    if (isTrusted) storage.assumeWhole();
    else await storage.check(() => {}, new AbortController().signal);
    return new Stage(folder, pool, storage);
  }

  path(name: string): string {
    return this.folder.at("data", "sample", name);
  }

  get had(): number[] {
    return [0, 1, 2, 3, 4, 5].filter((piece) => this.storage.have.has(piece));
  }

  /** Lets time pass, second by second. */
  pass(ms: number): void {
    for (const end = this.now + ms; this.now < end;) {
      this.now = Math.min(end, this.now + 1_000);
      this.watch.tick();
    }
  }

  /** Lets time pass until it is so. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    await waitFor(what, () => {
      if (isSo()) return true;
      this.pass(recheckSoonMs);
      return undefined;
    }, 10_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.watch.close();
    await this.storage.close();
    this.pool.close();
    await this.folder[Symbol.asyncDispose]();
  }
}

function describe(input: Input): string {
  if (input.kind === "pieceChecked") return `checked ${input.piece}: ${input.ok}`;
  if (input.kind === "piecesLost") return `lost ${input.pieces.join(" ")}`;
  return input.kind === "piecesFound" ? `found ${input.pieces.join(" ")}` : input.kind;
}

function spoil(path: string): void {
  using file = Deno.openSync(path, { write: true });
  file.writeSync(new Uint8Array(9));
}

Deno.test("DataWatch takes back a file that changed, and offers what of it is right once that was hashed", async () => {
  await using stage = await Stage.open();
  stage.pass(1_000 * lookSeconds);
  assertEquals(stage.said, []);
  spoil(stage.path("b"));
  stage.pass(1_000 * lookSeconds);
  assertEquals(stage.said.splice(0), ["lost 2 3", "wrong b: it has changed"]);
  assertEquals(stage.had, [0, 1, 4, 5]);
  await stage.until("the rest is offered", () => stage.said.length > 0);
  assertEquals(stage.said.splice(0), ["found 3"]);
  Deno.writeFileSync(stage.path("b"), sample.contents[1]);
  await stage.until("all is right", () => stage.said.includes("right b"));
  assertEquals([stage.said.splice(0), stage.had.length], [["lost 3", "found 2 3", "right b"], 6]);
  stage.pass(recheckRestMs);
  assertEquals(stage.said, []);
});

Deno.test("DataWatch tells a file that is gone from one that is cut, and finds one that comes", async () => {
  await using stage = await Stage.open({ spoil: (path) => Deno.removeSync(path("c")) });
  assertEquals(stage.had, [0, 1, 2, 3]);
  Deno.removeSync(stage.path("a"));
  Deno.truncateSync(stage.path("b"), pieceLength + 1);
  Deno.writeFileSync(stage.path("c"), sample.contents[2]);
  stage.pass(1_000 * lookSeconds);
  await stage.until("all is hashed", () => stage.said.includes("found 4 5"));
  const wanted = ["lost 0 1", "wrong a: it is gone", "lost 2 3", "wrong b: it is shorter than it was", "found 2"];
  assertEquals(stage.said, [...wanted, "found 4 5"]);
});

Deno.test({
  name: "DataWatch goes on with a file of which nothing but attributes changed, and hashes it in peace",
  ignore: isWindows,
  async fn() {
    await using stage = await Stage.open();
    const { ctime } = Deno.statSync(stage.path("a"));
    // times of this kind are kept in seconds
    await waitFor("the next second", () => Date.now() >= ctime!.getTime() + 1_100 || undefined, 5_000);
    Deno.chmodSync(stage.path("a"), 0o600);
    stage.pass(1_000 * lookSeconds + recheckSoonMs);
    assertEquals([stage.said, stage.had.length], [[], 6]);
    const { mtime, atime } = Deno.statSync(stage.path("b"));
    spoil(stage.path("b"));
    Deno.utimeSync(stage.path("b"), atime!, mtime!);
    stage.pass(1_000 * lookSeconds);
    await stage.until("it is found out", () => stage.said.length > 0);
    await stage.until("it is told", () => stage.said.length === 2);
    assertEquals(stage.said, ["lost 2", "wrong b: 1 piece of it is not the torrent's"]);
  },
});

Deno.test("DataWatch hashes what is there now, not the file that was there and is still open", async () => {
  await using stage = await Stage.open();
  const { mtime, atime } = Deno.statSync(stage.path("c"));
  Deno.writeFileSync(stage.path("new"), new Uint8Array(2 * pieceLength));
  Deno.utimeSync(stage.path("new"), atime!, mtime!);
  Deno.renameSync(stage.path("new"), stage.path("c"));
  await stage.until("it is found out", () => stage.said.length === 2);
  assertEquals(stage.said, ["lost 4 5", "wrong c: 2 pieces of it are not the torrent's"]);
});

Deno.test("DataWatch lets no bytes through that were read from a file that changed", async () => {
  await using stage = await Stage.open();
  const read = (piece: number) => stage.storage.readBlock(piece as PieceIndex, 0, 16_384);
  assertEquals((await read(0)).slice(0, 9), sample.piece(0).slice(0, 9));
  spoil(stage.path("b"));
  let failure: unknown;
  await Promise.resolve(read(2)).catch((error) => failure = error);
  assertThrows(
    () => {
      throw failure;
    },
    UserError,
    "cannot give a piece: its file has changed",
  );
  assertEquals(stage.said, ["lost 2 3", "wrong b: it has changed"]);
});

Deno.test("DataWatch hashes a piece that somebody asks for twice, and all that nobody vouched for once one is wrong", async () => {
  const wrong = (path: (name: string) => string) => ["a", "c"].forEach((name) => spoil(path(name)));
  await using stage = await Stage.open({ isTrusted: true, spoil: wrong });
  assertEquals(stage.had.length, 6);
  await stage.watch.check(2 as PieceIndex);
  assertEquals(stage.said.splice(0), ["checked 2: true"]);
  await stage.watch.check(0 as PieceIndex);
  assertEquals(stage.said.splice(0), ["wrong a: piece 0 of the torrent is wrong", "lost 0", "checked 0: false"]);
  await stage.until("the others are hashed", () => !stage.had.includes(4));
  await stage.until("it is told", () => stage.said.length === 2);
  assertEquals(stage.said, ["lost 4", "wrong c: 1 piece of it is not the torrent's"]);
  assertEquals(stage.had, [1, 2, 3, 5]);
});

Deno.test("DataWatch tries what the disk did not give again, each time after a longer while", async () => {
  await using stage = await Stage.open();
  stage.storage.forget(2 as PieceIndex);
  stage.watch.onUnreadable([2 as PieceIndex], "the disk fails");
  assertEquals(stage.said.splice(0), ["wrong b: the disk fails"]);
  stage.pass(recheckMinMs - 1_000);
  await stage.storage.isRight(2 as PieceIndex); // one thread: what was begun before has ended
  assertEquals(stage.said, []);
  await stage.until("it is right", () => stage.said.length === 2);
  assertEquals(stage.said, ["found 2", "right b"]);
});

Deno.test("DataWatch looks at few files of many in one turn, and at all of them in time", async () => {
  await using stage = await Stage.open();
  let looks = 0;
  const files = stage.storage.verified;
  const paths = Array.from({ length: 1_000_000 }, () => "");
  const counted = Object.assign(Object.create(files), {
    paths: new Proxy(paths, { get: (target, key) => (key !== "length" && looks++, Reflect.get(target, key)) }),
    onRead: () => {},
  });
  let now = 0;
  const watch = new DataWatch({
    files: counted,
    isTrusted: false,
    now: () => now,
    apply() {},
    tell() {},
    onFault() {},
  });
  watch.tick();
  looks = 0;
  for (now = 1_000; now <= 10_000; now += 1_000) watch.tick();
  assert(looks > 0 && looks <= 1_000, `${looks} looks in ten seconds`);
});
