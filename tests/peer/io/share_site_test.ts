import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { bytesFromLatin1 } from "../../../lib/bytes.ts";
import { HttpServer } from "../../../lib/io/http_server.ts";
import { parseMagnet } from "../../../lib/magnet.ts";
import { decodeMetainfo } from "../../../lib/metainfo.ts";
import { buildTorrent } from "../../../lib/torrent_builder.ts";
import { ProgramFile } from "../../../peer/io/program_file.ts";
import { ShareSite, type SiteShare } from "../../../peer/io/share_site.ts";

const evilName = `<img src=x onerror=alert(1)>"'&\u202egpj`;

function shareOf(name: string, paths: readonly string[][] = [["a.txt"], ["b", "c.txt"]]): SiteShare {
  const files = paths.map((path) => ({ path, length: 10 }));
  const pieces = new Uint8Array(20);
  const { infoBytes, infoHash } = buildTorrent({ name, files, isMultiFile: true, pieceLength: 16384, pieces });
  return { name, infoHash, infoBytes, totalLength: 10 * files.length, files };
}

/** A site on loopback. */
class TestSite {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #server: HttpServer;
  readonly share: SiteShare;
  readonly port = this.#listener.addr.port;
  readonly origin = `http://127.0.0.1:${this.port}`;

  constructor({ share = shareOf("holiday"), program = undefined as ProgramFile | undefined } = {}) {
    this.share = share;
    const site = new ShareSite({
      shares: [share],
      hostName: "laptop",
      peerPort: 6881,
      version: "1.2.3",
      program,
      pinServer: undefined,
      announceUrls: ["http://10.0.0.1:6969/announce"],
    });
    this.#server = new HttpServer({
      listeners: [this.#listener],
      open: (ends) => (request) =>
        site.answer(request, ends) ?? { status: 404, contentType: "text/plain", body: new Uint8Array(0) },
      onFault: (error) => {
        throw error;
      },
    });
  }

  /** Asks under a name of our choice, which fetch() does not allow. */
  async ask(path: string, host: string): Promise<string> {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
    await connection.write(bytesFromLatin1(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`));
    return await new Response(connection.readable).text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close();
  }
}

Deno.test("the page forbids scripts, frames, foreign things and guesses, and carries no script", async () => {
  await using site = new TestSite();
  const response = await fetch(`${site.origin}/`);
  const page = await response.text();
  const policy = response.headers.get("content-security-policy") ?? "";
  assertMatch(
    policy,
    /^default-src 'none'; style-src 'sha256-[\w+/]{43}='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
  );
  const wanted = { "x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-store" };
  for (const [name, value] of Object.entries(wanted)) assertEquals(response.headers.get(name), value);
  assertEquals(response.headers.get("access-control-allow-origin"), null);
  assert(
    !/<script|javascript:|\son\w+=|\sstyle=|https?:\/\/(?!127\.0\.0\.1)/i.test(
      page.replace(/href="magnet:[^"]*"/g, ""),
    ),
  );
  const style = /<style>([^]*)<\/style>/.exec(page)![1];
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style)));
  assertStringIncludes(policy, btoa(String.fromCharCode(...digest)));
});

Deno.test("the page offers the magnet link and the torrent with the visitor's own address", async () => {
  await using site = new TestSite();
  const page = await (await fetch(`${site.origin}/`)).text();
  const href = /href="(magnet:[^"]*)"/.exec(page)![1].replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code));
  const magnet = parseMagnet(href);
  assertEquals(magnet.infoHash, site.share.infoHash);
  assertEquals(magnet.trackers, [`${site.origin}/announce`, "http://10.0.0.1:6969/announce"]);
  assertEquals(magnet.peers, [{ host: "127.0.0.1", port: 6881 }]);
  const response = await fetch(`${site.origin}/${site.share.infoHash}.torrent`);
  assertEquals(response.headers.get("content-disposition"), "attachment; filename*=UTF-8''holiday.torrent");
  const metainfo = decodeMetainfo(new Uint8Array(await response.arrayBuffer()));
  assertEquals(metainfo.infoHash, site.share.infoHash);
  assertEquals(metainfo.announce.flat(), magnet.trackers);
});

Deno.test("the page shows hostile names as text, and the download's header keeps them in their place", async () => {
  await using site = new TestSite({ share: shareOf(evilName, [[evilName], ["</ul>", "b"]]) });
  const response = await fetch(`${site.origin}/`);
  const page = await response.text();
  assert(!page.includes("<img"));
  assert(!page.includes("</ul> /"));
  assert(!page.includes("\u202e"));
  assertStringIncludes(page, "&#60;img src=x onerror=alert(1)&#62;&#34;&#39;&#38;gpj");
  const torrent = await fetch(`${site.origin}/${site.share.infoHash}.torrent`);
  assertMatch(torrent.headers.get("content-disposition")!, /^attachment; filename\*=UTF-8''[\w%.-]+\.torrent$/);
  await torrent.body?.cancel();
});

Deno.test("the page names a hundred files of many", async () => {
  await using site = new TestSite({ share: shareOf("many", Array.from({ length: 250 }, (_, i) => [`file ${i}`])) });
  const page = await (await fetch(`${site.origin}/`)).text();
  assertEquals(page.split("<li><bdi>file ").length - 1, 100);
  assertStringIncludes(page, "and 150 more");
});

Deno.test("pages and downloads answer to no name that a stranger can own (DNS rebinding, CVE-2018-5702)", async () => {
  await using site = new TestSite();
  for (const path of ["/", "/shares.json", `/${site.share.infoHash}.torrent`, "/localbt"]) {
    assertMatch(await site.ask(path, `evil.example:${site.port}`), /^HTTP\/1.1 403 /);
  }
  for (const host of [`127.0.0.1:${site.port}`, "laptop", `laptop.local:${site.port}`, "localhost", "[::1]"]) {
    assertMatch(await site.ask("/", host), /^HTTP\/1.1 200 /, host);
  }
  assertStringIncludes(await site.ask("/", "laptop.local:7000"), "localbt get laptop.local:7000");
});

Deno.test("from source the page says that there is no program to hand out", async () => {
  await using site = new TestSite();
  for (const path of ["/localbt", "/localbt.sha256"]) {
    const response = await fetch(site.origin + path);
    assertEquals([response.status, await response.text()], [
      404,
      "this localbt runs from source: there is no program to hand out\n",
    ]);
  }
  assertStringIncludes(await (await fetch(`${site.origin}/`)).text(), "runs from source");
});

Deno.test("/localbt is the program byte by byte, in ranges too, and /localbt.sha256 its digest", async () => {
  const path = await Deno.makeTempFile();
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  await Deno.writeFile(path, bytes);
  const program = ProgramFile.open(path)!;
  await using site = new TestSite({ program });
  const get = async (headers: Record<string, string> = {}) => {
    const response = await fetch(`${site.origin}/localbt`, { headers });
    return { response, body: new Uint8Array(await response.arrayBuffer()) };
  };
  const whole = await get();
  assertEquals([whole.response.status, whole.body], [200, bytes]);
  const part = await get({ range: "bytes=50000-" });
  assertEquals([part.response.status, part.body], [206, bytes.subarray(50_000)]);
  assertEquals(part.response.headers.get("content-range"), "bytes 50000-59999/60000");
  const behind = await get({ range: "bytes=60000-" });
  assertEquals([behind.response.status, behind.response.headers.get("content-range")], [416, "bytes */60000"]);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  assertEquals(await (await fetch(`${site.origin}/localbt.sha256`)).text(), `${digest}  localbt\n`);
  const page = await (await fetch(`${site.origin}/`)).text();
  assertStringIncludes(page, digest);
  assertStringIncludes(
    page,
    `curl -o localbt ${site.origin}/localbt\nchmod +x localbt\n./localbt get 127.0.0.1:${site.port}`,
  );
  await Deno.remove(path);
});

Deno.test("ProgramFile hands itself out to so many at once and no more", async () => {
  const program = ProgramFile.open(new URL(import.meta.url).pathname)!;
  const bodies = Array.from({ length: 20 }, () => program.send());
  assertEquals(bodies.filter((body) => body !== undefined).length, 16);
  for (const body of bodies) body?.close();
  const again = program.send();
  assert(again !== undefined);
  again.close();
  await program.sendDigest().read(new Uint8Array(128));
});
