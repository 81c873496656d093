import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { gzipSync } from "node:zlib";
import { type AnnounceRequest, TrackerFailure } from "../../../lib/announce/request.ts";
import { bytesFromLatin1, concatBytes, latin1FromBytes } from "../../../lib/bytes.ts";
import { ProtocolError, UserError } from "../../../lib/errors.ts";
import { infoHashFromBytes, peerIdFromBytes } from "../../../lib/ids.ts";
import { announceByHttp, scrapeByHttp } from "../../../peer/io/http_announce.ts";

const request: AnnounceRequest = {
  // Every byte that some URL parser changes, decodes or encodes in its own way.
  infoHash: infoHashFromBytes(bytesFromLatin1("\x00\x0a %+&=#?/\\'\"<>~.\x7f\x80\xff")),
  peerId: peerIdFromBytes(bytesFromLatin1("-LB0100-[]{}|^`!$*()")),
  port: 6881,
  uploaded: 0,
  downloaded: 0,
  left: 1,
  event: "started",
  numWant: 50,
  key: 1,
  compact: true,
};
const never = new AbortController().signal;
const body = "d8:intervali60e5:peers6:\x0a\x00\x00\x02\x1a\xe1e";
const ok = (text: string, headers = "") => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n${headers}\r\n${text}`;

/** The whole reply, after which the connection is closed, or what to do with the connection. */
type Answer = (connection: Deno.TcpConn, request: string) => Promise<void> | string;

/** A tracker that is told what to do with each connection, and remembers what it was asked. */
class RawTracker implements AsyncDisposable {
  readonly listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly origin = `http://127.0.0.1:${this.listener.addr.port}`;
  readonly url = `${this.origin}/announce`;
  readonly requests: string[] = [];
  readonly #serving: Promise<void>;
  readonly #connections = new Set<Deno.TcpConn>();

  /** @param greeting is sent before anything is asked */
  constructor(answer: Answer, { greeting = "" } = {}) {
    this.#serving = this.#serve(answer, greeting);
  }

  async #serve(answer: Answer, greeting: string): Promise<void> {
    for await (const connection of this.listener) {
      this.#connections.add(connection);
      this.#answer(connection, answer, greeting).catch(() => {/* the client has left, as some tests have it */});
    }
  }

  async #answer(connection: Deno.TcpConn, answer: Answer, greeting: string): Promise<void> {
    await writeAll(connection, bytesFromLatin1(greeting));
    let head = "";
    const buffer = new Uint8Array(65536);
    while (!head.endsWith("\r\n\r\n")) {
      const count = await connection.read(buffer);
      if (count === null) return;
      head += latin1FromBytes(buffer.subarray(0, count));
    }
    this.requests.push(head);
    const reply = answer(connection, head);
    if (typeof reply !== "string") return await reply;
    await writeAll(connection, bytesFromLatin1(reply));
    this.#close(connection);
  }

  #close(connection: Deno.TcpConn): void {
    if (this.#connections.delete(connection)) connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.listener.close();
    for (const connection of this.#connections) this.#close(connection);
    await this.#serving;
  }
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

const announceTo = (url: string, timeoutMs = 10_000) => announceByHttp({ url, request }, { signal: never, timeoutMs });

Deno.test("announceByHttp() sends the query's bytes unchanged and keeps the passkey in front", async () => {
  await using tracker = new RawTracker(() => ok(body));
  await announceTo(`${tracker.origin}/announce?passkey=a%20b`);
  assertEquals(
    tracker.requests[0].split("\r\n")[0],
    "GET /announce?passkey=a%20b&info_hash=%00%0A%20%25%2B%26%3D%23%3F%2F%5C%27%22%3C%3E~.%7F%80%FF" +
      "&peer_id=-LB0100-%5B%5D%7B%7D%7C%5E%60%21%24%2A%28%29&port=6881&uploaded=0&downloaded=0&left=1" +
      "&compact=1&no_peer_id=1&numwant=50&key=00000001&event=started HTTP/1.1",
  );
});

Deno.test("announceByHttp() decodes the answer", async () => {
  await using tracker = new RawTracker(() => ok(body));
  const reply = await announceTo(`${tracker.origin}/announce`);
  assertEquals([reply.intervalMs, reply.peers], [60_000, [{ host: "10.0.0.2", port: 6881 }]]);
});

Deno.test("announceByHttp() decodes answers that are chunked, gzipped, or end with the connection", async () => {
  const packed = latin1FromBytes(new Uint8Array(gzipSync(bytesFromLatin1(body))));
  const chunks = [...body].map((character) => `1\r\n${character}\r\n`).join("");
  const replies = [
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
    ok(packed, "Content-Encoding: gzip\r\n"),
    `HTTP/1.0 200 OK\r\n\r\n${body}`,
  ];
  for (const reply of replies) {
    await using tracker = new RawTracker(() => reply);
    assertEquals((await announceTo(`${tracker.origin}/announce`)).peers.length, 1, reply.slice(0, 60));
  }
});

Deno.test("announceByHttp() follows redirects, three of them", async () => {
  await using tracker = new RawTracker((_, head) => {
    const hop = Number(/\/hop(\d)/.exec(head)?.[1]);
    return hop === 0
      ? ok(body)
      : `HTTP/1.1 302 Found\r\nLocation: /hop${hop - 1}/announce\r\nContent-Length: 0\r\n\r\n`;
  });
  assertEquals((await announceTo(`${tracker.origin}/hop3/announce`)).peers.length, 1);
  await assertRejects(() => announceTo(`${tracker.origin}/hop4/announce`), UserError, "it redirects too often");
});

Deno.test("announceByHttp() follows no redirect to another kind of address", async () => {
  for (const location of ["file:///etc/passwd", "ftp://127.0.0.1/", "data:,d8:intervali60e5:peers0:e"]) {
    await using tracker = new RawTracker(() => `HTTP/1.1 301 x\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`);
    await assertRejects(() => announceTo(tracker.url), UserError, "redirects to something that is no web address");
  }
});

Deno.test("announceByHttp() follows no redirect from a public address to a private one", async () => {
  const fetched: string[] = [];
  const realFetch = globalThis.fetch;
  // No public address can be reached from a test: this one answer is made up, the rules are the real ones.
  globalThis.fetch = (input) => {
    fetched.push(String(input));
    return Promise.resolve(new Response(null, { status: 302, headers: { location: target } }));
  };
  let target = "";
  try {
    for (
      const host of ["127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"]
        .concat(
          "[::1]",
          "[fd00::1]",
          "[fe80::1]",
          "[::ffff:127.0.0.1]",
          "localhost",
          "router",
          "nas.local",
          "2130706433",
        )
    ) {
      target = `http://${host}/announce`;
      for (const tracker of ["http://192.0.2.1/announce", "http://tracker.example.org/announce"]) {
        await assertRejects(() => announceTo(tracker), UserError, "it redirects to a private address", target);
      }
    }
    assert(fetched.every((url) => /192\.0\.2\.1|tracker\.example\.org/.test(url)), fetched.join());
  } finally {
    globalThis.fetch = realFetch;
  }
});

Deno.test("announceByHttp() asks on a private network for nothing but announces, also behind a redirect", async () => {
  await using tracker = new RawTracker((_, head) =>
    head.startsWith("GET /announce") ? "HTTP/1.1 302 x\r\nLocation: /reboot\r\nContent-Length: 0\r\n\r\n" : ok(body)
  );
  const why = "a tracker on a private network has to be at /announce";
  for (const path of ["/", "/reboot?now=1", "/announce/../reboot", "/announce/x"]) {
    await assertRejects(() => announceTo(`${tracker.origin}${path}`), UserError, why, path);
  }
  assertEquals(tracker.requests.length, 0);
  await assertRejects(() => announceTo(tracker.url), UserError, why);
  assertEquals(tracker.requests.length, 1);
  assertEquals((await announceTo(`${tracker.origin}/key/announce.php?a=b`)).peers.length, 1);
});

Deno.test("announceByHttp() understands a refusal, whatever its status", async () => {
  const refusal = "d14:failure reason9:not today8:retry ini5ee";
  for (const status of ["200 OK", "403 Forbidden", "503 Busy"]) {
    await using tracker = new RawTracker(() =>
      `HTTP/1.1 ${status}\r\nContent-Length: ${refusal.length}\r\n\r\n${refusal}`
    );
    const error = await assertRejects(() => announceTo(tracker.url), TrackerFailure, "not today");
    assertEquals(error.retryInMs, 300_000);
  }
});

Deno.test("announceByHttp() says what is wrong with an answer", async () => {
  const table: [string, string][] = [
    ["HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops", "the tracker answered 500"],
    ["HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "the tracker answered 404"],
    [`HTTP/1.1 500 Oops\r\nContent-Length: ${body.length}\r\n\r\n${body}`, "the tracker answered 500"],
    [ok("<html>It works!</html>"), "the answer is not a tracker's"],
    [ok(""), "the answer is empty"],
    [ok(body.slice(0, -4)), "bencoded data"],
  ];
  for (const [reply, why] of table) {
    await using tracker = new RawTracker(() => reply);
    await assertRejects(() => announceTo(tracker.url), ProtocolError, why, reply);
  }
});

Deno.test("announceByHttp() says why a tracker cannot be reached, without the passkey", async () => {
  await using closer = new RawTracker(() => "");
  await using garbler = new RawTracker(() => "", { greeting: "SSH-2.0-OpenSSH_9.2p1\r\n" });
  await using cutter = new RawTracker(() => "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nd8:inter");
  const port = freePort();
  const table: [string, string][] = [
    [`http://127.0.0.1:${port}`, "connection refused"],
    ["http://nosuch.invalid", "there is no such host"],
    [closer.origin, "it closed the connection"],
    [cutter.origin, "it closed the connection"],
    [garbler.origin, "it does not speak HTTP"],
    [garbler.origin.replace("http:", "https:"), "it does not speak TLS"],
    ["ws://127.0.0.1:6969", "its address is not an http one"],
  ];
  for (const [origin, why] of table) {
    const error = await assertRejects(() => announceTo(`${origin}/secret/announce?passkey=secret`), UserError);
    assertStringIncludes(error.message, why, origin);
    assertStringIncludes(error.message, new URL(origin).host);
    assert(!error.message.includes("secret"), error.message);
  }
});

/** A port on which nobody listens. */
function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

Deno.test("announceByHttp() gives up on a tracker that never answers, and on one that never ends", async () => {
  await using silent = new RawTracker(() => Promise.resolve());
  await using endless = new RawTracker((connection) =>
    writeAll(connection, bytesFromLatin1("HTTP/1.1 200 OK\r\n\r\nd8:"))
  );
  for (const { url } of [silent, endless]) {
    await assertRejects(() => announceTo(url, 100), UserError, "it gives no answer");
  }
});

Deno.test("announceByHttp() stops reading an answer of 100 MB after the first", async () => {
  let sent = 0;
  await using tracker = new RawTracker(async (connection) => {
    await writeAll(connection, bytesFromLatin1("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"));
    const part = new Uint8Array(1_000_000).fill(0x64);
    for (; sent < 100; sent++) await writeAll(connection, part);
  });
  await assertRejects(() => announceTo(tracker.url), ProtocolError, "the tracker's answer is too large");
  assert(sent < 50, `${sent} MB were taken`);
});

Deno.test("announceByHttp() bounds what an answer inflates to", async () => {
  const bomb = new Uint8Array(gzipSync(new Uint8Array(50_000_000)));
  const reply = concatBytes([
    bytesFromLatin1(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`),
    bomb,
  ]);
  await using tracker = new RawTracker(() => latin1FromBytes(reply));
  await assertRejects(() => announceTo(tracker.url), ProtocolError, "the tracker's answer is too large");
});

Deno.test("announceByHttp() ends with the reason of its signal", async () => {
  const controller = new AbortController();
  await using tracker = new RawTracker(() => {
    controller.abort("SIGINT");
    return Promise.resolve();
  });
  const outcome = await announceByHttp({ url: tracker.url, request }, { signal: controller.signal }).catch((
    reason,
  ) => reason);
  assertEquals(outcome, "SIGINT");
  const again = await announceByHttp({ url: tracker.url, request }, { signal: controller.signal }).catch((reason) =>
    reason
  );
  assertEquals(again, "SIGINT");
  assertEquals(tracker.requests.length, 1);
});

Deno.test("scrapeByHttp() asks beside the announce URL and decodes the counters", async () => {
  const { infoHash } = request;
  const raw = "\x00\x0a %+&=#?/\\'\"<>~.\x7f\x80\xff";
  await using tracker = new RawTracker(() => ok(`d5:filesd20:${raw}d8:completei1e10:downloadedi3e10:incompletei2eeee`));
  const counts = await scrapeByHttp({ url: `${tracker.origin}/announce`, infoHashes: [infoHash] }, { signal: never });
  assertEquals(counts, [{ infoHash, complete: 1, incomplete: 2, downloaded: 3 }]);
  assert(tracker.requests[0].startsWith("GET /scrape?info_hash=%00%0A"));
  const error = await scrapeByHttp({ url: `${tracker.origin}/a`, infoHashes: [infoHash] }, { signal: never }).catch((
    e,
  ) => e);
  assertInstanceOf(error, UserError);
});
