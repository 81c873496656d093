/** How others were broken, part 4 of 4: by trackers that are not what they say, by their own, and by floods. */
import { Buffer } from "node:buffer";
import { assert, assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { formatEndpoint } from "../../lib/endpoint.ts";
import { UserError } from "../../lib/errors.ts";
import { infoHashFromBytes, peerIdFromBytes } from "../../lib/ids.ts";
import { decodeAnnounceReply } from "../../lib/announce/http_reply.ts";
import { decodeMetainfo } from "../../lib/metainfo.ts";
import { announceByHttp } from "../../peer/io/http_announce.ts";
import { fetchFollowing, isPrivate, RedirectError, wordsOf } from "../../peer/io/http_client.ts";
import { Discovery } from "../../peer/discovery.ts";
import { makeShare, startDownload } from "../e2e/swarm.ts";
import { eventOf, runLocalbt, startLocalbt, startTracker } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import { singleFile } from "../interop/payload.ts";
import { bencode } from "../interop/reference_torrent.ts";
import { Scene } from "../interop/scene.ts";
import { SelfSignedServer } from "./self_signed.ts";
import { announcePacket, connectPacket, scrapePacket } from "./udp_announcer.ts";

const request = {
  infoHash: infoHashFromBytes(new Uint8Array(20).fill(1)),
  peerId: peerIdFromBytes(new TextEncoder().encode("-XX0001-abcdefghijkl")),
  port: 6881,
  uploaded: 0,
  downloaded: 0,
  left: 1,
  event: "started",
  numWant: 50,
  key: 1,
  compact: true,
} as const;
const never = new AbortController().signal;

Deno.test("CVE-2024-51774 (qBittorrent: TLS errors ignored): the program asks no https server that nobody vouches for", async () => {
  await using scene = await Scene.open();
  await using tracker = new SelfSignedServer();
  await using webSeed = new SelfSignedServer();
  const share = makeShare(scene, singleFile(100_000, 16_384));
  const { info } = { info: decodeMetainfo(share.bytes).infoBytes };
  const text = new TextDecoder("latin1");
  const url = `${tracker.origin}/announce`;
  const seed = `${webSeed.origin}/${share.payload.name}`;
  const bytes = Uint8Array.from(
    `d8:announce${url.length}:${url}4:info${text.decode(info)}8:url-list${seed.length}:${seed}e`,
    (char) => char.charCodeAt(0),
  );
  const torrent = join(scene.folder, "t.torrent");
  Deno.writeFileSync(torrent, bytes);
  const download = startDownload(scene, torrent, scene.newFolder("target"), ["--timeout", "1s"]);
  assertEquals((await download.exit(15_000)).code, 5, download.text());
  assertStringIncludes(download.text("stderr"), "certificate is not trusted");
  assert(tracker.count > 0 && webSeed.count > 0, "both were tried");
  assertEquals([tracker.heard, webSeed.heard], ["", ""], "nothing was said to either");
});

Deno.test("CVE-2019-3500 (aria2: credentials in logs): no password and no passkey is in anything that the program says", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, singleFile(100_000, 16_384));
  using closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = closed.addr;
  const secrets = ["hunter2", "PASSKEY123", "TOKEN456"];
  const trackers = [
    `http://alice:hunter2@127.0.0.1:${port}/PASSKEY123/announce?auth=TOKEN456`,
    `https://alice:hunter2@127.0.0.1:${port}/PASSKEY123/announce?auth=TOKEN456`,
    `udp://127.0.0.1:${port}/PASSKEY123/announce?auth=TOKEN456`,
    `http://127.0.0.1:${port}/reboot/PASSKEY123?auth=TOKEN456`,
  ];
  closed.close();
  const info = decodeMetainfo(share.bytes).infoBytes;
  const list = bencode(trackers.map((url) => [url]));
  const torrent = join(scene.folder, "t.torrent");
  Deno.writeFileSync(
    torrent,
    Buffer.concat([Buffer.from("d13:announce-list"), list, Buffer.from("4:info"), info, Buffer.from("e")]),
  );
  const target = scene.newFolder("target");
  const debug = { env: { LOCALBT_DEBUG: "1" } };
  const runs = await Promise.all([
    runLocalbt(scene, ["download", torrent, "-o", target, "--port", "0", "--timeout", "1s", "--json", "-v"], debug),
    runLocalbt(scene, ["download", torrent, "-o", target, "--port", "0", "--timeout", "1s", "-v"], debug),
    runLocalbt(scene, [
      "seed",
      torrent,
      "-d",
      share.payload.directory,
      "--port",
      "0",
      "--seed-time",
      "1s",
      "--json",
      "-v",
    ], debug),
  ]);
  for (const { stdout, stderr } of runs) {
    for (const secret of secrets) assert(!`${stdout}${stderr}`.includes(secret), `${secret} is in ${stdout}${stderr}`);
  }
  assert(runs.some(({ stderr }) => stderr.includes("127.0.0.1")), "the tracker is named all the same");
});

Deno.test("request forgery by tracker URLs (libtorrent's audit of 2020): no page at home is asked", async (t) => {
  const asked: string[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (incoming) => {
    const { pathname } = new URL(incoming.url);
    asked.push(pathname);
    return pathname === "/announce" ? Response.redirect(new URL("/admin/reboot", incoming.url)) : new Response("done");
  });
  const origin = `http://127.0.0.1:${server.addr.port}`;
  const announce = (url: string) => announceByHttp({ url, request }, { signal: never });
  await t.step("a tracker that is a page of this machine or of the router is not asked", async () => {
    for (const path of ["/admin/reboot?yes=1", "/", "/cgi-bin/x?announce=/announce"]) {
      await assertRejects(() => announce(`${origin}${path}`), UserError, "private network");
    }
    assertEquals(asked, []);
  });
  await t.step("nor is one that a tracker sends us to", async () => {
    await assertRejects(() => announce(`${origin}/announce`), UserError, "private network");
    assertEquals(asked, ["/announce"]);
  });
});

Deno.test("request forgery by other schemes: file:, ftp:, data:, gopher:, javascript: are no trackers and no web seeds", () => {
  const urls = ["file:///etc/passwd", "ftp://127.0.0.1/", "data:,x", "gopher://127.0.0.1:25/x", "javascript:alert(1)"];
  const info = `d6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces20:${"a".repeat(20)}e`;
  for (const url of urls) {
    const metainfo = decodeMetainfo(
      new TextEncoder().encode(`d8:announce${url.length}:${url}4:info${info}8:url-list${url.length}:${url}e`),
    );
    assertEquals([metainfo.announce, metainfo.webSeeds], [[], []], url);
  }
});

Deno.test("request forgery by redirects: none leads from a public to a private address, whatever that looks like", async () => {
  const hosts = ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "[::1]", "[fe80::1]", "0x7f.1", "router"];
  const realFetch = globalThis.fetch;
  try {
    for (const host of hosts) {
      // no public address can be reached from a test: its answer is made up, the rule is the real one
      globalThis.fetch = () =>
        Promise.resolve(new Response(null, { status: 302, headers: { location: `http://${host}/` } }));
      const error = await assertRejects(
        () => fetchFollowing(new URL("http://192.0.2.1/file"), { signal: never, headers: {} }),
        RedirectError,
      );
      assertEquals(wordsOf(error), "it redirects to a private address", host);
    }
  } finally {
    globalThis.fetch = realFetch;
  }
  const addresses = (_: string, type: string) => Promise.resolve(type === "A" ? ["192.168.1.1"] : []);
  assertEquals(await isPrivate(new URL("http://rebound.example/"), addresses), true, "a name is as its addresses");
});

/** A socket of ours, and all that comes back to it. */
class Echo implements Disposable {
  readonly socket = Deno.listenDatagram({ hostname: "127.0.0.1", port: 0, transport: "udp" });
  bytes = 0;
  readonly replies: Buffer[] = [];
  #heard = Promise.withResolvers<void>();

  constructor() {
    (async () => {
      for await (const [bytes] of this.socket) {
        this.bytes += bytes.length;
        this.replies.push(Buffer.from(bytes));
        this.#heard.resolve();
        this.#heard = Promise.withResolvers<void>();
      }
    })().catch(() => {});
  }

  async send(port: number, packet: Uint8Array): Promise<number> {
    return await this.socket.send(packet, { transport: "udp", hostname: "127.0.0.1", port });
  }

  async next(): Promise<void> {
    await this.#heard.promise;
  }

  [Symbol.dispose](): void {
    this.socket.close();
  }
}

Deno.test("UDP trackers as amplifiers: the unproven get no byte more than they sent, most of them none", async () => {
  await using scene = await Scene.open();
  const { port } = await startTracker(scene);
  using victim = new Echo();
  let sent = 0;
  const infoHash = "ab".repeat(20);
  for (let i = 0; i < 200; i++) {
    const connectionId = crypto.getRandomValues(new Uint8Array(8));
    sent += await victim.send(port, announcePacket({ connectionId, infoHash, peerPort: 1 + i, transaction: i }));
    sent += await victim.send(port, scrapePacket(connectionId, Array.from({ length: 74 }, () => infoHash)));
    sent += await victim.send(port, crypto.getRandomValues(new Uint8Array(i)));
  }
  const answered = victim.next();
  sent += await victim.send(port, connectPacket(7));
  await answered;
  assertEquals([victim.replies.length, victim.bytes], [1, 16], "only who asks for an id hears something");
  assertLess(victim.bytes, sent);
});

Deno.test("uTP as an amplifier (up to 50 times): the program's peer port speaks no UDP", async () => {
  await using scene = await Scene.open();
  const share = makeShare(scene, singleFile(100_000, 16_384));
  const line = [
    "seed",
    share.torrent,
    "--data",
    share.payload.directory,
    "--port",
    "0",
    "--json",
    "--host",
    "127.0.0.1",
  ];
  const child = startLocalbt(scene, line);
  const { port } = await eventOf(child, "ready", 20_000);
  // were it spoken (BEP 29), the port could not be had for UDP
  const socket = Deno.listenDatagram({ hostname: "127.0.0.1", port: Number(port), transport: "udp" });
  assertEquals((socket.addr as Deno.NetAddr).port, port);
  socket.close();
});

Deno.test("fake peers by ip=: the tracker lists who asks, whatever he says of himself", async () => {
  await using scene = await Scene.open();
  const { port } = await startTracker(scene);
  const announce = async (peerPort: number, more = "") => {
    const query = `info_hash=${"%AB".repeat(20)}&peer_id=-XX0001-${
      String(peerPort).padStart(12, "0")
    }&port=${peerPort}`;
    const response = await fetch(
      `http://127.0.0.1:${port}/announce?${query}&left=1&uploaded=0&downloaded=0&compact=1${more}`,
      {
        headers: { "x-forwarded-for": "203.0.113.9", forwarded: "for=203.0.113.9" },
      },
    );
    return decodeAnnounceReply(await response.bytes()).peers.map(formatEndpoint);
  };
  for (const fake of ["&ip=203.0.113.9", "&ipv4=203.0.113.9", "&ipv6=2001:db8::9", "&ip=evil.example", "&ip=%00"]) {
    await announce(1_001, fake);
  }
  assertEquals(await announce(1_002), ["127.0.0.1:1001"]);
});

Deno.test("floods of discovery packets (Transmission drops above 10 a second): so many are looked at, of one and of all", () => {
  const discovery = new Discovery({ random: () => 0.5 });
  const infoHash = infoHashFromBytes(new Uint8Array(20).fill(2));
  discovery.add(infoHash, 0);
  const networks = [{ host: "10.0.0.1", netmask: "255.255.0.0" }];
  const taken = { one: 0, all: 0 };
  for (let i = 0; i < 10_000; i++) {
    if (discovery.accepts("10.0.0.66", networks, 0)) taken.one++;
    if (discovery.accepts(`10.0.${i >> 8}.${i & 0xff}`, networks, 0)) taken.all++;
  }
  assertEquals(taken.one <= 32 && taken.one > 0, true, `${taken.one}`);
  assertEquals(taken.all + taken.one <= 200, true, `${taken.all}`);
});
