import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { bytesFromLatin1 } from "../../../lib/bytes.ts";
import { ProtocolError, UserError } from "../../../lib/errors.ts";
import { HttpServer } from "../../../lib/io/http_server.ts";
import type { Network } from "../../../lib/io/network.ts";
import { checkPin, makePin, seal, unseal } from "../../../peer/io/pin.ts";
import { fetchSealedTorrent } from "../../../peer/io/pin_client.ts";
import { PinServer } from "../../../peer/io/pin_server.ts";
import { makeContext } from "../../cli/test_context.ts";

const torrent = new TextEncoder().encode("d4:infod4:name6:secret7:privatei1eee");

/** A sharer's port that knows a PIN, and a wire that can be listened to. */
class TestSharer {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #server: HttpServer;
  readonly port = this.#listener.addr.port;
  /** Path and query of every request. */
  readonly requests: string[] = [];
  readonly suspicions: string[] = [];
  readonly pinServer: PinServer;
  now = 0;

  private constructor(make: (sharer: () => TestSharer) => PinServer) {
    this.pinServer = make(() => this);
    this.#server = new HttpServer({
      listeners: [this.#listener],
      open: (ends) => (request) => {
        this.requests.push(`${request.path}?${new TextDecoder().decode(request.query)}`);
        const answer = this.pinServer.answer(request, ends, (index) => index === 0 ? torrent : undefined);
        return answer ?? { status: 404, contentType: "text/plain", body: bytesFromLatin1("") };
      },
      onFault: (error) => {
        throw error;
      },
    });
  }

  static async open(pin: string): Promise<TestSharer> {
    let self: TestSharer | undefined;
    const pinServer = await PinServer.make({
      pin,
      now: () => self!.now,
      onSuspicion: (host) => self!.suspicions.push(host),
    });
    return self = new TestSharer(() => pinServer);
  }

  fetch(pin: string, index = 0, network: Network = makeContext().network): Promise<Uint8Array> {
    const { signal } = new AbortController();
    return fetchSealedTorrent({ host: "127.0.0.1", port: this.port, index, pin }, { network, signal });
  }

  async ask(path: string): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`);
    await response.body?.cancel();
    return response.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close();
  }
}

Deno.test("the right PIN opens the torrent, and lets its address in; before, nobody is let in", async () => {
  await using sharer = await TestSharer.open("otter");
  assertEquals(sharer.pinServer.hasAdmitted("127.0.0.1"), false);
  assertEquals(await sharer.fetch("otter"), torrent);
  assertEquals(sharer.pinServer.hasAdmitted("::ffff:127.0.0.1"), true);
  assertEquals(sharer.pinServer.hasAdmitted("127.0.0.2"), false);
});

Deno.test("a wrong PIN opens nothing, lets nobody in, and is told in plain words", async () => {
  await using sharer = await TestSharer.open("otter");
  await assertRejects(() => sharer.fetch("badger"), UserError, "it is not the right one");
  assertEquals(sharer.pinServer.hasAdmitted("127.0.0.1"), false);
  assert(sharer.requests.every((request) => request.startsWith("/pin/start?")), "a wrong guess never gets to the end");
});

Deno.test("what goes over the wire holds neither PIN nor torrent, and differs each time", async () => {
  await using sharer = await TestSharer.open("otter-otter");
  const wire: Uint8Array[] = [];
  const { network } = makeContext();
  const tapped: Network = {
    ...network,
    connect: async (options) => {
      const socket = await network.connect(options);
      const read = socket.read.bind(socket);
      socket.read = async (into) => {
        const count = await read(into);
        if (count !== null) wire.push(into.slice(0, count));
        return count;
      };
      return socket;
    },
  };
  for (let i = 0; i < 2; i++) await sharer.fetch("otter-otter", 0, tapped);
  const heard = sharer.requests.join("\n") + wire.map((part) => new TextDecoder("latin1").decode(part)).join("");
  for (const secret of ["otter", "secret", btoa("otter").slice(0, 6)]) assert(!heard.includes(secret), secret);
  const [first, , second] = sharer.requests;
  assert(first !== second);
});

Deno.test("a recorded exchange is worth nothing: neither its end nor its beginning can be said again", async () => {
  await using sharer = await TestSharer.open("otter");
  await sharer.fetch("otter");
  const [start, finish] = sharer.requests;
  assertEquals(await sharer.ask(finish), 403);
  const response = await fetch(`http://127.0.0.1:${sharer.port}${start}`);
  const [id] = (await response.text()).split(" ");
  assertEquals(await sharer.ask(finish.replace(/id=[0-9a-f]+/, `id=${id}`)), 403);
});

Deno.test("who guesses has five tries, then waits, and the sharer is told; who is right has as many as he likes", async () => {
  await using sharer = await TestSharer.open("otter");
  for (let i = 0; i < 8; i++) assertEquals(await sharer.fetch("otter"), torrent);
  for (let i = 0; i < 5; i++) await assertRejects(() => sharer.fetch(`guess${i}`), UserError, "not the right one");
  await assertRejects(() => sharer.fetch("otter"), UserError, "too many wrong ones");
  assertEquals(sharer.suspicions, ["127.0.0.1"]);
  sharer.now += 20_000;
  assertEquals(await sharer.fetch("otter"), torrent);
});

Deno.test("exchanges that are begun and left are tries too, and nonsense gets no further", async () => {
  await using sharer = await TestSharer.open("otter");
  const paths = [
    "/pin/start",
    "/pin/start?m=",
    "/pin/start?m=AAAA",
    `/pin/start?m=${"A".repeat(5000)}`,
    "/pin/start?m=%ff",
  ];
  for (const path of paths) assertEquals(await sharer.ask(path), 403, path);
  assertEquals(await sharer.ask("/pin/start?m=AAAA"), 429);
  for (const path of ["/pin/finish", "/pin/finish?id=00&m=AAAA&share=0"]) assertEquals(await sharer.ask(path), 403);
});

Deno.test("an exchange dies with its time, and a share that is not there is told after the PIN alone", async () => {
  await using sharer = await TestSharer.open("otter");
  await assertRejects(() => sharer.fetch("otter", 7), ProtocolError);
  const { network } = makeContext();
  let connections = 0;
  const slow: Network = {
    ...network,
    connect: (options) => {
      if (++connections === 2) sharer.now += 15_000;
      return network.connect(options);
    },
  };
  await assertRejects(() => sharer.fetch("otter", 0, slow), UserError, "not the right one");
});

Deno.test("unseal() finds every change", async () => {
  const sealed = await seal("key", torrent);
  assertEquals(await unseal("key", sealed), torrent);
  await assertRejects(() => unseal("other", sealed), ProtocolError);
  for (const at of [0, 11, 12, 20, sealed.length - 1]) {
    const changed = sealed.slice();
    changed[at] ^= 1;
    await assertRejects(() => unseal("key", changed), ProtocolError);
  }
  await assertRejects(() => unseal("key", sealed.subarray(0, 5)), ProtocolError);
});

Deno.test("makePin() makes six digits, and checkPin() takes what is long enough", () => {
  for (let i = 0; i < 100; i++) assert(/^[0-9]{6}$/.test(makePin()));
  assertEquals(checkPin("  ｏｔｔｅｒ "), "otter");
  for (const pin of ["", "abc", "x".repeat(101)]) assertThrows(() => checkPin(pin), UserError, "4 to 100");
});
