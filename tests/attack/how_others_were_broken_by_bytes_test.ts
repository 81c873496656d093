/** How others were broken, part 2 of 4: by bytes and by lengths, from torrents, peers and trackers. */
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import { assert, assertEquals, assertGreater, assertLess, assertRejects, assertThrows } from "@std/assert";
import { decodeBencode } from "../../lib/bencode.ts";
import { bytesFromLatin1 } from "../../lib/bytes.ts";
import { ProtocolError } from "../../lib/errors.ts";
import { infoHashFromBytes, peerIdFromBytes } from "../../lib/ids.ts";
import { decodeMetainfo } from "../../lib/metainfo.ts";
import { decodeAnnounceReply } from "../../lib/announce/http_reply.ts";
import { announceByHttp } from "../../peer/io/http_announce.ts";
import { makeShare, type Seeder, seedShare, type Share } from "../e2e/swarm.ts";
import { id, message, uint32, Wire } from "../e2e/wire.ts";
import { singleFile } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";

/** Milliseconds for any of the inputs below. */
const anyInputMs = 2_000;

/** Refused by the decoder, in time and without growing beyond bounds. */
function assertRefused(bytes: Uint8Array, decode: (bytes: Uint8Array) => unknown = decodeBencode): void {
  const began = performance.now();
  const before = Deno.memoryUsage().rss;
  assertThrows(() => decode(bytes), ProtocolError);
  assertLess(performance.now() - began, anyInputMs);
  assertLess(Deno.memoryUsage().rss - before, 500e6);
}

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("bencode, CVE-2020-8437 (uTorrent: nested too deep): refused at any depth, without a stack to overflow", () => {
  for (const open of ["l", "d1:a"]) {
    assertRefused(encode(open.repeat(101) + "e".repeat(101)));
    assertRefused(encode(open.repeat(2_000_000)));
    assertRefused(encode(open.repeat(1_000_000) + "e".repeat(1_000_000)));
  }
  decodeBencode(encode("l".repeat(100) + "e".repeat(100)));
});

Deno.test("bencode, CVE-2017-9847 (libtorrent: read behind the end): nothing is read beyond the bytes, wherever they end", () => {
  const whole = encode("d4:infod6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee");
  decodeMetainfo(whole);
  for (let length = 0; length < whole.length; length++) {
    // with readable bytes behind them, that must not be taken for theirs
    assertRefused(whole.subarray(0, length), decodeMetainfo);
  }
  for (
    const text of ["5:abc", "9999999999:a", "i", "i-", "i5", "4294967300:abcd", "18446744073709551615:a", "1", ":"]
  ) {
    assertRefused(encode(text));
  }
});

Deno.test("bencode, CVE-2018-10756 (Transmission: a value freed while it is in use): keys twice, in any order, at any place", () => {
  for (
    const text of [
      "d1:ai1e1:ai2ee",
      "d4:infodee4:infode",
      "d1:ad1:bi1ee1:al1:bee",
      "d1:a1:b1:a1:c1:a1:de",
      "d1:ae",
      "di1ei2ee",
      "dli1eei2ee",
    ]
  ) {
    try {
      decodeBencode(encode(text));
    } catch (error) {
      assert(error instanceof ProtocolError, String(error));
    }
  }
});

Deno.test("bencode bombs: 3 M tokens, 20 digits, 2^21 pieces, 10 MB of it", () => {
  assertRefused(encode(`l${"i1e".repeat(3_000_001)}e`));
  assertRefused(encode(`l${"0:".repeat(5_000_000)}e`));
  assertRefused(encode(`i${"1".repeat(21)}e`));
  assertRefused(encode(`i${"9".repeat(1_000_000)}e`));
  const tooMany = 2 ** 21 + 1;
  const pieces = "x".repeat(20 * tooMany);
  const info = `d6:lengthi${tooMany * 16_384}e4:name1:a12:piece lengthi16384e6:pieces${pieces.length}:${pieces}e`;
  assertRefused(encode(`d4:info${info}e`), decodeMetainfo);
});

/** A running seeder of ours, and a peer that is past the handshakes with it. */
async function withSeeder(run: (seeder: Seeder, share: Share) => Promise<void>): Promise<void> {
  await using scene = await Scene.open();
  const share = makeShare(scene, singleFile(500_000, 32_768));
  const seeder = await seedShare(scene, share);
  await run(seeder, share);
  assert(seeder.child.isRunning, seeder.child.text());
  assert(!seeder.child.text("stderr").includes("    at "), seeder.child.text("stderr"));
}

/** Greets with this word in the extended handshake. */
async function greeted({ endpoint }: Seeder, { infoHash }: Share, reserved = "0000000000100004"): Promise<Wire> {
  const wire = await Wire.connect(endpoint);
  await wire.greet(infoHash, { reserved });
  await wire.greeting();
  return wire;
}

/** Peak of resident memory. */
function peakOf(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
}

Deno.test({
  name: "lengths believed before they are checked, by the program's peer port",
  ignore: Deno.build.os !== "linux",
  fn: (t) =>
    withSeeder(async (seeder, share) => {
      const before = peakOf(seeder.child.pid);
      const breaks: Record<string, Uint8Array> = {
        "Transmission #9082 (a message length without a cap)": Buffer.concat([
          uint32(0x0010_0001),
          Buffer.from([id.piece]),
        ]),
        "bittorrent-protocol (ff ff ff ff read as -1, a keep-alive)": uint32(0xffff_ffff),
        "bittorrent-protocol (7f ff ff ff waited for)": uint32(0x7fff_ffff),
        "CVE-2014-4909 (Transmission: a have beyond the bitfield)": message(id.have, 0xffff_ffff),
        "CVE-2014-4909 (Transmission: a bitfield longer than the torrent)": message(
          id.bitfield,
          new Uint8Array(100_000),
        ),
      };
      for (const [name, bytes] of Object.entries(breaks)) {
        await t.step(`${name}: the connection ends`, async () => {
          const wire = await greeted(seeder, share);
          await wire.write(bytes);
          assert(await wire.isClosedByPeer());
          wire.close();
        });
      }
      for (const size of ["2000000000", "-1", "99999999999999999999", "0"]) {
        await t.step(
          `metadata_size of ${size} (magnetico: 2 GB; rtorrent: negative): nothing is made for it`,
          async () => {
            const wire = await greeted(seeder, share);
            await wire.send(20, Buffer.from(`\0d1:md11:ut_metadatai3ee13:metadata_sizei${size}ee`, "latin1"));
            // still there, or gone: both are fair
            await wire.send(id.interested);
            wire.close();
          },
        );
      }
      assertLess(peakOf(seeder.child.pid) - before, 60e6);
    }),
});

const request = {
  infoHash: infoHashFromBytes(new Uint8Array(20).fill(1)),
  peerId: peerIdFromBytes(bytesFromLatin1("-XX0001-abcdefghijkl")),
  port: 6881,
  uploaded: 0,
  downloaded: 0,
  left: 1,
  event: "started",
  numWant: 50,
  key: 1,
  compact: true,
} as const;

/** What an announce of ours makes of these bytes of a tracker. */
async function announceTo(reply: Uint8Array): Promise<unknown> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(8192));
    try {
      for (let at = 0; at < reply.length;) at += await connection.write(reply.subarray(at));
      await connection.closeWrite();
      while (await connection.read(new Uint8Array(8192)) !== null);
    } catch { /* it has had enough */ }
  })();
  const url = `http://127.0.0.1:${listener.addr.port}/announce`;
  try {
    return await announceByHttp({ url, request }, { signal: new AbortController().signal, timeoutMs: 10_000 });
  } finally {
    await serving;
  }
}

Deno.test("tracker replies, CVE-2016-5301 (libtorrent: a chunked header that lies): refused in plain words", async () => {
  const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const size of ["-1", "ffffffffffffffff", "80000000", "fffffffe", "xyz", "", "5;", "0x10"]) {
    const error = await assertRejects(
      () => announceTo(encode(`${head}${size}\r\nd8:intervali60e5:peers0:e\r\n`)),
      Error,
    );
    assert(!/internal|undefined|RangeError/.test(error.message), error.message);
  }
});

Deno.test("tracker replies, CVE-2016-7164 (libtorrent: a gzip bomb): what it inflates to is bounded", async () => {
  const head = encode("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n");
  const before = Deno.memoryUsage().rss;
  const bomb = gzipSync(new Uint8Array(200_000_000));
  await assertRejects(() => announceTo(Buffer.concat([head, bomb])), ProtocolError, "too large");
  const twice = gzipSync(gzipSync(new Uint8Array(200_000_000)));
  await assertRejects(() => announceTo(Buffer.concat([head, twice])), ProtocolError);
  assertLess(Deno.memoryUsage().rss - before, 400e6);
});

Deno.test("tracker replies with more peers than anybody needs: some are taken, the rest is dropped", () => {
  const peers = new Uint8Array(6 * 100_000).fill(10);
  const reply = Buffer.concat([encode(`d8:intervali60e5:peers${peers.length}:`), peers, encode("e")]);
  const taken = decodeAnnounceReply(reply).peers.length;
  assertGreater(taken, 0);
  assertEquals(taken <= 2_000, true, `${taken}`);
});
