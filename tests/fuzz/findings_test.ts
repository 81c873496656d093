/** What fuzzing found, each with the input at its smallest. */
import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { decodeAnnounceReply as decodeHttpReply } from "../../lib/announce/http_reply.ts";
import { TrackerFailure } from "../../lib/announce/request.ts";
import { decodeAnnounceReply } from "../../lib/announce/udp_reply.ts";
import { encodeBencode } from "../../lib/bencode.ts";
import { parseHostPort } from "../../lib/endpoint.ts";
import { readRange } from "../../lib/http_range.ts";
import { httpGet } from "../../lib/io/http_get.ts";
import type { Network } from "../../lib/io/network.ts";
import { isLinkLocal6 } from "../../lib/local_addresses.ts";
import { parseMagnet } from "../../lib/magnet.ts";
import { readSiteHost } from "../../lib/site_host.ts";
import { bytesOf } from "./draw.ts";
import { type Cost, tryInput } from "./rules.ts";

/** What one call takes, the least of some. */
async function costOf(run: () => void): Promise<Cost> {
  const target = { name: "finding", generate: () => new Uint8Array(0), run: () => (run(), "taken" as const) };
  const result = await tryInput(target, new Uint8Array(0));
  assert(!("what" in result), "what" in result ? result.what : "");
  return result.cost;
}

Deno.test("a UDP tracker's refusal of zeros with something behind them takes no time for each pair: it took 7 s", async () => {
  const packet = bytesOf(`\0\0\0\x03abcd${"\0".repeat(65_000)}x`);
  await costOf(() => assertThrows(() => decodeAnnounceReply(packet, 4), TrackerFailure));
  const padded = bytesOf(`\0\0\0\x03abcdno${"\0".repeat(9)}`);
  assertEquals(assertThrows(() => decodeAnnounceReply(padded, 4), TrackerFailure).message, "no");
});

Deno.test("a Host of one bracket and many colons takes no time for each pair of them: it took 0.1 s", async () => {
  const header = `[${":".repeat(16_000)}`;
  await costOf(() => assertEquals(readSiteHost(header, { hostName: "laptop" }), undefined));
});

Deno.test("a peer of a magnet link of one bracket and many colons takes no time for each pair of them", async () => {
  await costOf(() => assertEquals(parseHostPort(`[${":".repeat(120_000)}1`), undefined));
});

Deno.test("a magnet link that wants every file is read at once: a million numbers in a set took 0.2 s and 64 MB", async () => {
  const link = `magnet:?xt=urn:btih:${"ab".repeat(20)}&so=0-999999,5-9,0-999999`;
  await costOf(() => assertEquals(parseMagnet(link).selectOnly?.length, 1_000_000));
});

Deno.test("the last bytes of an empty file are none: the range ended before its start", () => {
  assertEquals(readRange("bytes=-5", 0), "unsatisfiable");
});

Deno.test("a tracker's list of millions of peers that are none is looked at up to a bound", async () => {
  const reply = encodeBencode({ peers: Array.from({ length: 300_000 }, () => ({})) });
  const { bytes } = await costOf(() => assertEquals(decodeHttpReply(reply).peers, []));
  assertLess(bytes, 40e6);
});

Deno.test("fe8::1 is not link-local: its first group is 0fe8", () => {
  assertEquals(["fe8::1", "fe80::1", "febf::1", "fec0::1"].map(isLinkLocal6), [false, true, true, false]);
});

Deno.test("httpGet() takes no memory for each read: who sent a byte at a time cost 64 KiB for each", async () => {
  const answer = bytesOf(`HTTP/1.1 200 OK\r\n\r\n${"x".repeat(20_000)}`);
  let at = 0;
  const socket = {
    read: (into: Uint8Array) => Promise.resolve(at === answer.length ? null : (into[0] = answer[at++], 1)),
    write: (bytes: Uint8Array) => Promise.resolve(bytes.length),
    close: () => {},
    remoteAddr: { transport: "tcp", hostname: "10.0.0.1", port: 80 },
  };
  const network = { connect: () => Promise.resolve(socket) } as unknown as Network;
  const before = Deno.memoryUsage().external;
  const get = { host: "10.0.0.1", port: 80, path: "/", bytesMax: 100_000, signal: new AbortController().signal };
  assertEquals((await httpGet(network, get)).body.length, 20_000);
  assertLess(Deno.memoryUsage().external - before, 20e6);
});
