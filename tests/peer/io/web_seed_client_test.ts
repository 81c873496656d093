import { assert, assertEquals } from "@std/assert";
import { deflateSync } from "node:zlib";
import { concatBytes } from "../../../lib/bytes.ts";
import { webSeedSkipBytesMax } from "../../../lib/limits/web_seeds.ts";
import { Layout } from "../../../lib/layout.ts";
import type { Metainfo, MetainfoFile } from "../../../lib/metainfo.ts";
import type { Input } from "../../../peer/events.ts";
import { WebSeedClient, type WebTaker } from "../../../peer/io/web_seed_client.ts";
import type { WebSeedFault } from "../../../peer/web_seed.ts";
import { bytesFrom } from "../../interop/payload.ts";
import { type Answer, RawWebServer, reply, serveRange, writeAll } from "./raw_web_server.ts";

/** What the client reads of a torrent. */
function torrentOf(
  webSeed: string,
  files: readonly (Partial<MetainfoFile> & { length: number })[],
  isMultiFile = false,
) {
  return {
    files: files.map((file, i) => ({ path: ["top", `f${i}`], isPadding: false, ...file })),
    isMultiFile,
    webSeeds: [webSeed],
    layout: new Layout({ pieceLength: 16_384, fileLengths: files.map(({ length }) => length) }),
  } as unknown as Metainfo;
}

/** What came of one request. */
interface Outcome {
  readonly bytes: Uint8Array;
  readonly fault: WebSeedFault | undefined;
}

interface Range {
  readonly offset: number;
  readonly length: number;
  readonly mayBeginEarly?: boolean;
}

/** Fetches a range to its end. */
async function fetchRange(
  torrent: Metainfo,
  { mayBeginEarly = false, ...range }: Range,
  timeoutMs = 5_000,
): Promise<Outcome> {
  const parts: Uint8Array[] = [];
  const { promise, resolve } = Promise.withResolvers<WebSeedFault | undefined>();
  const client = new WebSeedClient(torrent, { timeoutMs });
  const taker: WebTaker = {
    apply(input: Input) {
      if (input.kind === "webBytes") parts.push(input.bytes.slice());
      if (input.kind === "webEnded") resolve(input.fault);
    },
    mayReadWeb: () => true,
  };
  client.fetch({ kind: "fetchWeb", request: 1, webSeed: 0, mayBeginEarly, ...range }, taker);
  const fault = await promise;
  await client.close();
  return { bytes: concatBytes(parts), fault };
}

const file = bytesFrom(7, 100_000);

/** The outcome of asking for bytes 20,000 to 49,999 of a file of 100,000, where the server answers so. */
async function outcomeOf(
  answer: Answer,
  { path = "/file", timeoutMs = 5_000, offset = 20_000 } = {},
): Promise<Outcome> {
  await using server = new RawWebServer(answer);
  const torrent = torrentOf(server.origin + path, [{ length: file.length }]);
  return await fetchRange(torrent, { offset, length: 30_000 }, timeoutMs);
}

Deno.test("WebSeedClient.fetch() asks for the range and hands on its bytes", async () => {
  await using server = new RawWebServer((head) => serveRange(head, file));
  const { bytes, fault } = await fetchRange(torrentOf(`${server.origin}/file`, [{ length: file.length }]), {
    offset: 20_000,
    length: 30_000,
  });
  assertEquals(fault, undefined);
  assertEquals(bytes, file.slice(20_000, 50_000));
  assertEquals(server.asked, ["/file 20000-49999"]);
  assert(/^accept-encoding: identity\r$/im.test(server.requests[0]));
});

Deno.test("WebSeedClient.fetch() asks for each file under the range, and for no padding", async () => {
  const files = [{ length: 10_000 }, { length: 0 }, { length: 6_384, isPadding: true }, { length: 20_000 }, {
    length: 7,
  }];
  await using server = new RawWebServer((head) => {
    const index = Number(/^GET \/d\/top\/f(\d)/.exec(head)?.[1]);
    return serveRange(head, bytesFrom(100 + index, files[index].length));
  });
  const { bytes, fault } = await fetchRange(torrentOf(`${server.origin}/d`, files, true), {
    offset: 5_000,
    length: 31_388,
  });
  assertEquals(fault, undefined);
  assertEquals(server.asked, ["/d/top/f0 5000-9999", "/d/top/f3 0-19999", "/d/top/f4 0-3"]);
  const wanted = [
    bytesFrom(100, 10_000).slice(5_000),
    new Uint8Array(6_384),
    bytesFrom(103, 20_000),
    bytesFrom(104, 7).slice(0, 4),
  ];
  assertEquals(bytes, concatBytes(wanted));
});

Deno.test("WebSeedClient.fetch() uses a whole file, if little lies before what is wanted", async () => {
  const { bytes, fault } = await outcomeOf(() => reply("200 OK", {}, file));
  assertEquals(fault, undefined);
  assertEquals(bytes, file.slice(20_000, 50_000));
});

Deno.test("WebSeedClient.fetch() reads a whole file from its beginning only where it may", async () => {
  const large = bytesFrom(9, webSeedSkipBytesMax + 50_000);
  const offset = webSeedSkipBytesMax + 10_000;
  await using server = new RawWebServer(() => reply("200 OK", {}, large));
  const torrent = torrentOf(`${server.origin}/file`, [{ length: large.length }]);
  const refused = await fetchRange(torrent, { offset, length: 30_000 });
  assertEquals(refused.fault?.kind, "wholeFilesOnly");
  const { bytes, fault } = await fetchRange(torrent, { offset, length: 30_000, mayBeginEarly: true });
  assertEquals(fault, undefined);
  assertEquals(bytes, large.slice(offset, offset + 30_000));
});

Deno.test("WebSeedClient.fetch() asks again where it is sent", async () => {
  await using server = new RawWebServer((head) =>
    head.startsWith("GET /old") ? reply("302 Found", { Location: "/new" }) : serveRange(head, file)
  );
  const { fault } = await fetchRange(torrentOf(`${server.origin}/old`, [{ length: file.length }]), {
    offset: 0,
    length: 9,
  });
  assertEquals(fault, undefined);
  assertEquals(server.asked, ["/old 0-8", "/new 0-8"]);
});

const good = { "Content-Range": "bytes 20000-49999/100000" };
const part = file.slice(20_000, 50_000);
const partial = (headers: Record<string, string>, body = part) => reply("206 Partial Content", headers, body);

for (
  const [name, answer, fault] of [
    ["404", reply("404 Not Found", {}), { kind: "file", fileIndex: 0, why: "it answered 404" }],
    ["403", reply("403 Forbidden", {}), { kind: "file", fileIndex: 0, why: "it answered 403" }],
    ["416", reply("416 x", {}), { kind: "file", fileIndex: 0, why: "it answered 416" }],
    ["204", reply("204 No Content", {}), { kind: "file", fileIndex: 0, why: "it answered 204" }],
    ["500", reply("500 x", {}), { kind: "later", why: "it answered 500" }],
    ["503 with Retry-After", reply("503 x", { "Retry-After": "7" }), {
      kind: "later",
      why: "it answered 503",
      retryInMs: 7_000,
    }],
    ["429 with nonsense", reply("429 x", { "Retry-After": "soon" }), { kind: "later", why: "it answered 429" }],
    ["no Content-Range", partial({}), { kind: "file", fileIndex: 0, why: "it sends another part of the file" }],
    [
      "another range",
      partial({ "Content-Range": "bytes 20001-50000/100000" }),
      { kind: "file", fileIndex: 0, why: "it sends another part of the file" },
    ],
    [
      "another file",
      partial({ "Content-Range": "bytes 20000-49999/100001" }),
      { kind: "file", fileIndex: 0, why: "its file has 100001 bytes instead of 100000" },
    ],
    [
      "a whole other file",
      reply("200 OK", {}, bytesFrom(1, 5)),
      { kind: "file", fileIndex: 0, why: "its file has 5 bytes instead of 100000" },
    ],
    [
      "packed bytes",
      partial({ ...good, "Content-Encoding": "deflate" }, new Uint8Array(deflateSync(part))),
      { kind: "file", fileIndex: 0, why: "it packs what it sends" },
    ],
    ["bytes that end early", partial({ ...good, "Content-Length": "30000" }, part.slice(0, 9_000)), {
      kind: "later",
      why: "it closed the connection",
    }],
    ["too few bytes", partial(good, part.slice(0, 9_000)), { kind: "later", why: "its answer was too short" }],
    ["no HTTP", new TextEncoder().encode("hello\r\n\r\n"), { kind: "later", why: "it does not speak HTTP" }],
    ["nothing", new Uint8Array(0), { kind: "later", why: "it closed the connection" }],
  ] as [string, Uint8Array, WebSeedFault][]
) {
  Deno.test(`WebSeedClient.fetch() tells what is wrong with an answer: ${name}`, async () => {
    assertEquals((await outcomeOf(() => answer)).fault, fault);
  });
}

Deno.test("WebSeedClient.fetch() understands a date in Retry-After", async () => {
  const date = new Date(Date.now() + 3_600_000).toUTCString();
  const { fault } = await outcomeOf(() => reply("503 x", { "Retry-After": date }));
  assert(
    fault?.kind === "later" && fault.retryInMs! > 3_500_000 && fault.retryInMs! <= 3_600_000,
    JSON.stringify(fault),
  );
});

Deno.test("WebSeedClient.fetch() takes no more than it asked for, however much comes", async () => {
  const { bytes, fault } = await outcomeOf(() => partial(good, bytesFrom(3, 5_000_000)));
  assertEquals([bytes.length, fault], [30_000, undefined]);
});

Deno.test("WebSeedClient.fetch() gives up on a server that never answers, and on one that drips", async () => {
  const hanging: Answer = () => new Promise(() => {});
  let drop = Promise.resolve();
  const dripping: Answer = async (_, connection) => {
    const bytes = partial({ ...good, "Content-Length": "30000" });
    for (let at = 0; at < bytes.length; at += 300) {
      await writeAll(connection, bytes.subarray(at, at + 300));
      await (drop = new Promise((resolve) => setTimeout(resolve, 20)));
    }
  };
  const hung = await outcomeOf(hanging, { timeoutMs: 100 });
  assertEquals(hung.fault, { kind: "later", why: "it gives no answer" });
  const dripped = await outcomeOf(dripping, { timeoutMs: 100 });
  assertEquals(dripped.fault, { kind: "later", why: "it is too slow" });
  await drop;
});

Deno.test("WebSeedClient.fetch() says why nobody can be reached, without the password", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const { fault } = await fetchRange(torrentOf(`http://me:secret@127.0.0.1:${port}/f`, [{ length: 10 }]), {
    offset: 0,
    length: 10,
  });
  assertEquals(fault, { kind: "later", why: "connection refused" });
});

Deno.test("WebSeedClient.fetch() sends no query to a private network, also when it is sent there", async () => {
  const why = "its address on a private network has a query (?…)";
  await using server = new RawWebServer(() => reply("302 Found", { Location: "/admin?delete=1" }));
  for (const path of ["/admin?delete=1", "/file"]) {
    const { fault } = await fetchRange(torrentOf(server.origin + path, [{ length: 10 }]), { offset: 0, length: 10 });
    assertEquals(fault, { kind: "refused", why });
  }
  assertEquals(server.asked, ["/file 0-9"]);
});

Deno.test("WebSeedClient.fetch() is not led from a public address to a private one", async () => {
  const realFetch = globalThis.fetch;
  // No public address can be reached from a test: this one answer is made up, the rules are the real ones.
  globalThis.fetch = () =>
    Promise.resolve(new Response(null, { status: 302, headers: { location: "http://192.168.1.1/f" } }));
  try {
    const { fault } = await fetchRange(torrentOf("http://192.0.2.1/f", [{ length: 10 }]), { offset: 0, length: 10 });
    assertEquals(fault, { kind: "refused", why: "it redirects to a private address" });
  } finally {
    globalThis.fetch = realFetch;
  }
});

Deno.test("WebSeedClient.cancel() ends a request without another word", async () => {
  const asked = Promise.withResolvers<void>();
  await using server = new RawWebServer(() => {
    asked.resolve();
    return new Promise(() => {});
  });
  const client = new WebSeedClient(torrentOf(`${server.origin}/f`, [{ length: 10 }]));
  const heard: Input[] = [];
  const taker = { apply: (input: Input) => void heard.push(input), mayReadWeb: () => true };
  client.fetch({ kind: "fetchWeb", request: 1, webSeed: 0, offset: 0, length: 10, mayBeginEarly: false }, taker);
  await asked.promise;
  client.cancel(1);
  await client.close();
  assertEquals(heard, []);
});

Deno.test("WebSeedClient reads on only when there is room for more", async () => {
  await using server = new RawWebServer((head) => serveRange(head, file));
  const client = new WebSeedClient(torrentOf(`${server.origin}/f`, [{ length: file.length }]));
  let questions = 0;
  const ended = Promise.withResolvers<WebSeedFault | undefined>();
  client.fetch({ kind: "fetchWeb", request: 1, webSeed: 0, offset: 0, length: 100, mayBeginEarly: false }, {
    apply: (input) => input.kind === "webEnded" && ended.resolve(input.fault),
    mayReadWeb: () => ++questions === 3,
  });
  assertEquals(await ended.promise, undefined);
  assertEquals(questions, 3);
  await client.close();
});
