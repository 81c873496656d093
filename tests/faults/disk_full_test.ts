/** A disk that fills while a download writes to it. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { id, Wire } from "../e2e/wire.ts";
import { type BlockRequest, honestBlock, serveAsSeeder, WirePeer } from "../e2e/wire_peer.ts";
import { expectDone, interrupt, makeShare, type Share } from "../e2e/swarm.ts";
import type { Child } from "../interop/child.ts";
import { freePort } from "../interop/free_port.ts";
import { eventOf, eventsOf, startLocalbt } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import { singleFile } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";
import { fillDisk, mayMount, mountTmpfs } from "./disk_mount.ts";

const MiB = 1 << 20;
const pieceLength = 64 * 1024;

/** A download onto a small disk from a seeder that counts, which fills the disk when so many blocks were asked of it. */
class Stage implements AsyncDisposable {
  readonly share: Share;
  readonly download: Child;
  readonly port: number;
  readonly #seeder: WirePeer;
  /** Bytes that were asked for. */
  askedBytes = 0;
  filler = "";

  constructor(scene: Scene, readonly target: string, { length, args = [] }: { length: number; args?: string[] }) {
    this.share = makeShare(scene, singleFile(length, pieceLength));
    const content = Deno.readFileSync(join(this.share.payload.directory, this.share.payload.name));
    const data = { infoHash: this.share.infoHash, content, pieceLength };
    const block = (request: BlockRequest) => {
      this.askedBytes += request.length;
      if (this.askedBytes > MiB && this.filler === "") this.filler = fillDisk(target);
      return honestBlock(data, request);
    };
    this.#seeder = new WirePeer((wire) => serveAsSeeder(wire, data, { block }));
    this.port = freePort();
    const names = ["--output", target, "--port", String(this.port), "--peer", this.#seeder.endpoint, "--json"];
    this.download = startLocalbt(scene, ["download", this.share.torrent, ...names, ...args]);
  }

  async waiting(): Promise<void> {
    await eventOf(this.download, "disk", 20_000, ({ state }) => state === "waiting");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#seeder[Symbol.asyncDispose]();
  }
}

Deno.test({
  name: "a download whose disk fills says so, gives what it has, goes on by itself when there is room, and ends right",
  ignore: !mayMount,
  async fn() {
    await using scene = await Scene.open();
    const target = await mountTmpfs(scene, 8 * MiB);
    await using stage = new Stage(scene, target, { length: 4 * MiB });
    const { download, share } = stage;
    await stage.waiting();
    const [{ why }] = eventsOf(download, "disk");
    assertEquals(why, `cannot write ${join(target, share.payload.name)}: the disk is full`);
    const told = download.text("stderr").split("\n").filter((line) => line.includes("the disk is full"));
    assertEquals(told.length, 1, "it is said once, in one line");
    await assertGives(stage);
    Deno.removeSync(stage.filler);
    await eventOf(download, "disk", 20_000, ({ state }) => state === "ok");
    await expectDone(download, share.payload, target);
    const [{ downloadedBytes }] = eventsOf(download, "done");
    assertEquals(downloadedBytes, 4 * MiB, "what the disk refused was fetched again");
    assertEquals([...Deno.readDirSync(target)].map(({ name }) => name), [share.payload.name]);
  },
});

/** A peer that comes while the disk is full gets a piece. */
async function assertGives({ share, port, download }: Stage): Promise<void> {
  const piece = Number(eventsOf(download, "piece")[0].piece);
  const wire = await Wire.connect(`127.0.0.1:${port}`);
  try {
    await wire.greet(share.infoHash);
    await wire.greeting();
    await wire.send(id.interested);
    await wire.nextOf(id.unchoke);
    await wire.send(id.request, piece, 0, 16_384);
    const content = Deno.readFileSync(join(share.payload.directory, share.payload.name));
    assertEquals(
      new Uint8Array((await wire.nextOf(id.piece))!.body.subarray(8)),
      content.slice(piece * pieceLength, piece * pieceLength + 16_384),
    );
  } finally {
    wire.close();
  }
}

Deno.test({
  name: "a download whose disk stays full asks for no more than its memory holds, and --timeout ends it",
  ignore: !mayMount,
  async fn() {
    await using scene = await Scene.open();
    const target = await mountTmpfs(scene, 66 * MiB);
    await using stage = new Stage(scene, target, { length: 64 * MiB, args: ["--timeout", "1s"] });
    const { download } = stage;
    await stage.waiting();
    const { code } = await download.exit(20_000);
    assertEquals(code, 5, download.text());
    assertMatch(download.text("stderr"), /nothing came for 1s \(cannot write .*: the disk is full\)/);
    const stored = eventsOf(download, "piece").length * pieceLength;
    assert(stage.askedBytes <= stored + 33 * MiB, `${stage.askedBytes - stored} bytes were asked for and not stored`);
  },
});

Deno.test({
  name: "Ctrl-C ends a download that waits for room, and the same command goes on from there",
  ignore: !mayMount,
  async fn() {
    await using scene = await Scene.open();
    const target = await mountTmpfs(scene, 8 * MiB);
    await using stage = new Stage(scene, target, { length: 4 * MiB });
    await stage.waiting();
    const kept = eventsOf(stage.download, "piece").length;
    const resume = [...Deno.readDirSync(target)].map(({ name }) => name).find((name) => name.startsWith("."))!;
    await interrupt(stage.download);
    assert([...Deno.readDirSync(target)].some(({ name }) => name === resume), "the resume file is gone");
    Deno.removeSync(stage.filler);
    const names = ["--output", target, "--port", "0", "--json", "--peer", "127.0.0.1:1", "--timeout", "1s"];
    const again = startLocalbt(scene, ["download", stage.share.torrent, ...names]);
    const start = await eventOf(again, "start", 20_000);
    assert(Number(start.havePieces) >= kept, `${start.havePieces} of ${kept} pieces are left`);
    await again.exit(10_000);
  },
});
