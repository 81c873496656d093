import { assert, assertEquals } from "@std/assert";
import { bytesFromLatin1, latin1FromBytes } from "../../lib/bytes.ts";
import { HttpHeadReader, type HttpHeadState } from "../../lib/http_request.ts";
import { mutationsOf, truncationsOf } from "./mutations.ts";

const limits = { lineBytesMax: 100, headBytesMax: 200, headersMax: 5 };

function read(text: string): { state: HttpHeadState; reader: HttpHeadReader; query: string } {
  const bytes = bytesFromLatin1(text);
  const reader = new HttpHeadReader(limits);
  const state = reader.read(bytes, 0, bytes.length);
  return { state, reader, query: latin1FromBytes(bytes.subarray(reader.queryStart, reader.queryEnd)) };
}

Deno.test("HttpHeadReader reads path, query and length", () => {
  const head = "GET /announce?info_hash=%AA&x=? HTTP/1.1\r\nHost: a\r\n\r\n";
  const { state, reader, query } = read(`${head}GET /next`);
  assertEquals(state, "complete");
  assertEquals([reader.path, query, reader.length], ["/announce", "info_hash=%AA&x=?", head.length]);
  assertEquals([reader.isHead, reader.isHttp10, reader.isKeptAlive], [false, false, true]);
});

Deno.test("HttpHeadReader reads a request without a query", () => {
  const { state, reader, query } = read("HEAD / HTTP/1.1\r\n\r\n");
  assertEquals([state, reader.path, query, reader.isHead], ["complete", "/", "", true]);
});

Deno.test("HttpHeadReader reads the absolute form that proxies get", () => {
  const { reader, query } = read("GET http://10.0.0.2:6969/scrape?a=1 HTTP/1.1\r\n\r\n");
  assertEquals([reader.path, query], ["/scrape", "a=1"]);
});

Deno.test("HttpHeadReader reads line feeds alone and empty lines in front", () => {
  assertEquals(read("\r\n\nGET / HTTP/1.0\nHost: a\n\n").state, "complete");
  assertEquals(read("\n".repeat(9)).state, 400);
});

Deno.test("HttpHeadReader reads who wants the connection kept", () => {
  const kept = (version: string, header: string) =>
    read(`GET / HTTP/${version}\r\n${header}\r\n\r\n`).reader.isKeptAlive;
  assertEquals(kept("1.1", "Host: a"), true);
  assertEquals(kept("1.1", "Connection: close"), false);
  assertEquals(kept("1.1", "CONNECTION:Upgrade , CLOSE"), false);
  assertEquals(kept("1.0", "Host: a"), false);
  assertEquals(kept("1.0", "connection: Keep-Alive"), true);
  assertEquals(kept("1.1", "X-Connection: close"), true);
});

Deno.test("HttpHeadReader finds the same head however the bytes are split", () => {
  const head = bytesFromLatin1("\r\nGET /announce?x=1 HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
  const reader = new HttpHeadReader(limits);
  for (let end = 1; end < head.length; end++) assertEquals(reader.read(head, 0, end), "more", String(end));
  assertEquals(reader.read(head, 0, head.length), "complete");
  assertEquals([reader.path, reader.length, reader.isKeptAlive], ["/announce", head.length, true]);
});

Deno.test("HttpHeadReader goes on when the bytes have moved in the buffer", () => {
  const head = bytesFromLatin1("GET /announce?x=1 HTTP/1.1\r\nHost: a\r\n\r\n");
  const shifted = new Uint8Array(7 + head.length);
  shifted.set(head, 7);
  const reader = new HttpHeadReader(limits);
  assertEquals(reader.read(shifted, 7, 7 + 30), "more");
  assertEquals(reader.read(head, 0, head.length), "complete");
  assertEquals(latin1FromBytes(head.subarray(reader.queryStart, reader.queryEnd)), "x=1");
});

Deno.test("HttpHeadReader refuses with the status that says why", () => {
  const header = (text: string) => `GET / HTTP/1.1\r\n${text}\r\n\r\n`;
  const table: [string, HttpHeadState][] = [
    ["\x13BitTorrent protocol\r\n", 400],
    ["GET\r\n", 400],
    ["GET /\r\n", 400],
    ["GET  HTTP/1.1\r\n", 400],
    [" / HTTP/1.1\r\n", 400],
    ["GET announce HTTP/1.1\r\n", 400],
    ["GET /\tx HTTP/1.1\r\n", 400],
    ["GET / x HTTP/1.1\r\n", 400],
    ["GET / HTTP/1.1 \r\n", 400],
    ["GET / HTTP/1.x\r\n", 400],
    ["GET / HTTP/2.0\r\n", 505],
    ["GET ftp://a/ HTTP/1.1\r\n", 400],
    ["POST / HTTP/1.1\r\n", 405],
    ["get / HTTP/1.1\r\n", 405],
    ["GETS / HTTP/1.1\r\n", 405],
    [header("Content-Length: 1"), 413],
    [header("content-length: 0, 5"), 413],
    [header("Content-Length: -0"), 413],
    [header("Transfer-Encoding: chunked"), 413],
    [header("Content-Length : 0"), 400],
    [header(" folded"), 400],
    [header("no colon"), 400],
    [header(": no name"), 400],
    [`GET /${"x".repeat(100)}`, 414],
    [`GET /${"x".repeat(100)} HTTP/1.1\r\n\r\n`, 414],
    [header(`x: ${"x".repeat(200)}`), 431],
    [`GET / HTTP/1.1\r\nx: ${"x".repeat(200)}`, 431],
    [header("a: b\r\n".repeat(5) + "a: b"), 431],
    [header("Host: a\r\nHost: a"), 400],
  ];
  for (const [text, status] of table) assertEquals(read(text).state, status, JSON.stringify(text));
});

Deno.test("HttpHeadReader takes the host of the target before that of the header, as RFC 9112 says", () => {
  const text = "GET http://a.example:1/ HTTP/1.1\r\nHost: 10.0.0.2\r\n\r\n";
  const { hostStart, hostEnd } = read(text).reader;
  assertEquals(text.slice(hostStart, hostEnd), "a.example:1");
});

Deno.test("HttpHeadReader takes a request that says it has no body", () => {
  assertEquals(read("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").state, "complete");
});

Deno.test("HttpHeadReader needs more for every truncation and never throws for mutations", () => {
  const head = bytesFromLatin1("GET /announce?info_hash=%AA HTTP/1.1\r\nHost: 10.0.0.2\r\nConnection: close\r\n\r\n");
  for (const broken of truncationsOf(head)) {
    assertEquals(new HttpHeadReader(limits).read(broken, 0, broken.length), "more");
  }
  for (const broken of mutationsOf(head, { seed: 17, count: 3000 })) {
    const reader = new HttpHeadReader(limits);
    const state = reader.read(broken, 0, broken.length);
    if (state !== "complete") continue;
    assert(reader.length <= broken.length && reader.queryEnd <= reader.length && reader.queryStart <= reader.queryEnd);
    assert(reader.path.startsWith("/"));
  }
});
