import { Buffer } from "node:buffer";
import { assert, assertEquals, assertLess } from "@std/assert";
import { freePort } from "../interop/free_port.ts";
import { startTracker } from "../interop/localbt.ts";
import { singleFile } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";
import { expectDone, makeShare, seedShare, type Share, startDownload } from "./swarm.ts";

const kind = singleFile(500_000, 32 * 1024);

/** A tracker that does one thing to every connection. */
class BadTracker implements AsyncDisposable {
  readonly url: string;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  readonly #accepting: Promise<void>;

  constructor(answer: (connection: Deno.Conn, url: string) => Promise<void>) {
    this.url = `http://127.0.0.1:${this.#listener.addr.port}/announce`;
    this.#accepting = this.#accept(answer);
  }

  async #accept(answer: (connection: Deno.Conn, url: string) => Promise<void>): Promise<void> {
    const answering: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      this.#open.add(connection);
      // a client that has had enough hangs up, as it should
      answering.push(answer(connection, this.url).catch(() => {}));
    }
    await Promise.all(answering);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) {
      try {
        connection.close();
      } catch (error) {
        if (!(error instanceof Deno.errors.BadResource)) throw error; // it was closed by its answer
      }
    }
    await this.#accepting;
  }
}

type Answer = (connection: Deno.Conn, url: string) => Promise<void>;

/** Answers one HTTP request with these bytes and closes the sending side. */
function replies(head: string, body: string | Uint8Array = ""): Answer {
  return async (connection) => {
    await connection.read(new Uint8Array(8192));
    const bytes = Buffer.concat([Buffer.from(`HTTP/1.1 ${head}\r\n\r\n`), Buffer.from(body)]);
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    await connection.closeWrite();
  };
}

function repliesOk(body: string | Uint8Array): Answer {
  return replies(`200 OK\r\nContent-Length: ${Buffer.from(body).length}`, body);
}

/** 100 MB, said beforehand or not. */
async function floods(connection: Deno.Conn, length: string): Promise<void> {
  await connection.read(new Uint8Array(8192));
  await connection.write(Buffer.from(`HTTP/1.1 200 OK\r\n${length}\r\nd5:peers100000000:`));
  const part = new Uint8Array(100_000);
  for (let i = 0; i < 1_000; i++) await connection.write(part);
}

const nowhere = Buffer.concat([
  Buffer.from("d8:intervali1800e5:peers24:", "latin1"),
  // port 0, a dead port of ours, the broadcast address, a multicast address
  Buffer.from([127, 0, 0, 1, 0, 0, 127, 0, 0, 1, 0, 1, 255, 255, 255, 255, 26, 225, 224, 0, 0, 1, 26, 225]),
  Buffer.from("e", "latin1"),
]);

const faults: Record<string, Answer> = {
  "answers 500": replies("500 Internal Server Error\r\nContent-Length: 4", "oops"),
  "answers 404": replies("404 Not Found\r\nContent-Length: 0"),
  "never answers": async () => await Promise.resolve(),
  "closes at once": (connection) => Promise.resolve(connection.close()),
  "says what is no HTTP": async (connection) => void await connection.write(Buffer.from("\x00\x01\x02 hello\r\n\r\n")),
  "answers 100 MB": (connection) => floods(connection, "Content-Length: 100000018\r\n"),
  "answers 100 MB without saying so": (connection) => floods(connection, ""),
  "answers a web page": repliesOk("<html><body>Welcome to the router</body></html>"),
  "answers nothing": repliesOk(""),
  "answers a list": repliesOk("le"),
  "answers deep bencode": repliesOk("l".repeat(300_000)),
  "says why it fails": repliesOk("d14:failure reason31:no such torrent \x1b[31mred\x07 here\x00e"),
  "gives peers of a wrong length": repliesOk("d8:intervali1800e5:peers7:1234567e"),
  "gives an interval of minus one": repliesOk("d8:intervali-1e5:peers0:e"),
  "gives an interval beyond all numbers": repliesOk(`d8:intervali${"9".repeat(400)}e5:peers0:e`),
  "lies about its peers": repliesOk(nowhere),
  "sends us in circles": async (connection, url) => await replies(`302 Found\r\nLocation: ${url}`)(connection, url),
  "sends us to a file": replies("302 Found\r\nLocation: file:///etc/passwd"),
};

/** Without any other source of peers: it waits, gives up, and says why in few and harmless words. */
async function downloadByTracker(scene: Scene, share: Share): Promise<void> {
  const download = startDownload(scene, share.torrent, scene.newFolder("target"), ["--timeout", "1s"]);
  assertEquals((await download.exit(15_000)).code, 5, download.text());
  const said = download.text("stderr");
  assert(/^localbt: cannot /m.test(said), said);
  assert(!/^ +at |Uncaught/m.test(said), said);
  // deno-lint-ignore no-control-regex -- what a tracker says must not steer the terminal
  assert(!/[\x00-\x08\x0b-\x1f\x7f]/.test(said), JSON.stringify(said));
  assertLess(said.length, 2_000, "it says little");
}

/** With a peer that the user names, the tracker's fault does not matter. */
async function downloadByPeer(scene: Scene, share: Share): Promise<void> {
  const seeder = await seedShare(scene, share);
  const target = scene.newFolder("target");
  const download = startDownload(scene, share.torrent, target, ["--peer", seeder.endpoint]);
  await expectDone(download, share.payload, target);
}

for (const [what, answer] of Object.entries(faults)) {
  Deno.test(`a tracker that ${what} is named and outlived, and a named peer serves without it`, async () => {
    await using scene = await Scene.open();
    await using tracker = new BadTracker(answer);
    const share = makeShare(scene, kind, [tracker.url]);
    await Promise.all([downloadByTracker(scene, share), downloadByPeer(scene, share)]);
  });
}

Deno.test("a tracker that is down is named with its reason, and the other tier is asked", async () => {
  await using scene = await Scene.open();
  const tracker = await startTracker(scene);
  const dead = `http://127.0.0.1:${freePort()}/announce`;
  const share = makeShare(scene, kind, [dead, tracker.announceUrl]);
  await seedShare(scene, share);
  const target = scene.newFolder("target");
  const download = startDownload(scene, share.torrent, target);
  await expectDone(download, share.payload, target);
  assert(download.text("stderr").includes(dead), download.text("stderr"));
});
