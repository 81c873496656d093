/** How others were broken, part 3 of 4: by web pages on this machine. */
import { assert, assertMatch, assertStringIncludes } from "@std/assert";
import type { Child } from "../interop/child.ts";
import { eventOf, startLocalbt, startTracker } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import { Scene } from "../interop/scene.ts";

const markup = `<img src=x onerror=alert(1)><script>alert(2)</script>"'&`;

/** Asks in our own words, which fetch() would mend. */
async function ask(port: number, head: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(`${head}\r\nConnection: close\r\n\r\n`));
  return await new Response(connection.readable).text();
}

const get = (port: number, path: string, host = "127.0.0.1") => ask(port, `GET ${path} HTTP/1.1\r\nHost: ${host}`);

/** A share of a folder with hostile names, and a secret beside it. */
async function shareHostile(scene: Scene): Promise<{ child: Child; port: number; infoHash: string }> {
  const parent = scene.newFolder("data");
  const folder = join(parent, markup.replaceAll("/", "_"));
  Deno.mkdirSync(folder);
  Deno.writeTextFileSync(join(folder, "<b>a</b>.txt".replace("/", "_")), "hello");
  Deno.writeTextFileSync(join(parent, "secret.txt"), "TOP-SECRET");
  const child = startLocalbt(scene, [
    "share",
    "--host",
    "127.0.0.1",
    "--port",
    "0",
    "--no-discovery",
    "--json",
    folder,
  ]);
  const ready = await eventOf(child, "ready", 20_000);
  return { child, port: Number(ready.port), infoHash: (ready.shares as { infoHash: string }[])[0].infoHash };
}

/** Every way in which a path was seen to lead out of a web server's folder. */
const pathsOut = [
  ...["/../secret.txt", "/../../../../../../etc/passwd", "//etc/passwd", "/./../secret.txt", "/..;/secret.txt"],
  ...["/%2e%2e/secret.txt", "/%2e%2e%2fsecret.txt", "/..%2fsecret.txt", "/..%5csecret.txt", "/%252e%252e/secret.txt"],
  ...["/..\\secret.txt", "/%c0%ae%c0%ae/secret.txt", "/etc/passwd%00.torrent", "/secret.txt", "/localbt/../secret.txt"],
  ...["/../deno.json", "/main.ts", "/proc/self/environ", "/file:///etc/passwd", "/.git/config", "/?file=../secret.txt"],
];

Deno.test("local web pages, those of the program's share", async (t) => {
  await using scene = await Scene.open();
  const { port, infoHash } = await shareHostile(scene);
  await t.step(
    "CVE-2018-5702 (Transmission: DNS rebinding): no page under a name that a stranger can own",
    async () => {
      for (const path of ["/", "/shares.json", "/stats", `/${infoHash}.torrent`, "/localbt", "/nothing"]) {
        for (
          const host of ["evil.example", `evil.example:${port}`, "127.0.0.1.evil.example", "localhost.evil.example"]
        ) {
          assertMatch(await get(port, path, host), /^HTTP\/1.1 403 /, `${path} ${host}`);
        }
      }
      assertMatch(await ask(port, `GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1`), /^HTTP\/1.1 403 /);
      assertMatch(await ask(port, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example"), /^HTTP\/1.1 400 /);
      assertMatch(await get(port, "/"), /^HTTP\/1.1 200 /);
    },
  );
  await t.step("CVE-2019-15782 (webtorrent: names as HTML): names are text, and a policy forbids scripts", async () => {
    const page = await get(port, "/");
    assertStringIncludes(page, "onerror=alert(1)");
    assert(!/<img|<script|<b>/i.test(page), page);
    assertMatch(page, /Content-Security-Policy: default-src 'none'; style-src 'sha256-/);
    assertMatch(page, /X-Content-Type-Options: nosniff/);
    const listing = await get(port, "/shares.json");
    assertMatch(listing, /Content-Type: application\/json/);
    assertMatch(listing, /nosniff/);
  });
  await t.step("no foreign asset, and no other site reads it: nothing is loaded from anywhere, no CORS", async () => {
    for (const path of ["/", "/shares.json", "/stats"]) {
      const answer = await ask(port, `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example`);
      assert(!/access-control-/i.test(answer), path);
      const loaded = [...answer.matchAll(/<[^>]*\b(src|href|action|data|poster)="([^"]*)"/gi)].map(([, , url]) => url);
      for (const url of loaded) assertMatch(url, /^(magnet:|\/[^/])/, `${path}: ${url}`);
      assert(!/<(link|script|iframe|object|embed|base|form|meta http-equiv)|@import|url\(/i.test(answer), path);
    }
  });
  await t.step(
    "CVE-2023-30801 (qBittorrent: a default password): there is no login, and nothing can be changed",
    async () => {
      for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"]) {
        assertMatch(await ask(port, `${method} / HTTP/1.1\r\nHost: 127.0.0.1`), /^HTTP\/1.1 405 /, method);
      }
      const basic = `Authorization: Basic ${btoa("admin:adminadmin")}`;
      for (
        const path of ["/login", "/api/v2/auth/login", "/transmission/rpc", "/json", "/jsonrpc", "/gui/", "/pin/start"]
      ) {
        const answer = await ask(port, `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${basic}`);
        assertMatch(answer, /^HTTP\/1.1 404 /, path);
        assert(!/www-authenticate|set-cookie/i.test(answer), path);
      }
    },
  );
  await t.step("CVE-2017-9031 (Deluge: files read by path): no path leads to a file of the disk", async () => {
    for (const path of pathsOut) {
      const answer = await get(port, path);
      assert(!/TOP-SECRET|root:|"tasks"|import |PATH=|\[core\]/.test(answer), `${path}: ${answer.slice(0, 200)}`);
      assertMatch(answer, path.startsWith("/?") ? /^HTTP\/1.1 200 / : /^HTTP\/1.1 40[04] /, path);
    }
  });
});

Deno.test("local web pages, those of the program's tracker", async (t) => {
  await using scene = await Scene.open();
  const { port } = await startTracker(scene);
  await t.step("CVE-2018-5702 (DNS rebinding)", async () => {
    for (const path of ["/", "/stats"]) assertMatch(await get(port, path, "evil.example"), /^HTTP\/1.1 403 /);
  });
  await t.step("CVE-2017-9031 (files read by path)", async () => {
    for (const path of pathsOut) {
      assertMatch(await get(port, path), path.startsWith("/?") ? / 200 / : /^HTTP\/1.1 40[04] /);
    }
  });
  await t.step("names as HTML: an info hash, a path and a peer id that are markup come back nowhere", async () => {
    const answer = await get(
      port,
      `/announce?info_hash=${encodeURIComponent(markup)}&peer_id=${encodeURIComponent(markup)}`,
    );
    for (const text of [answer, await get(port, `/${encodeURIComponent(markup)}`), await get(port, "/<script>")]) {
      assert(!text.includes("<"), text);
      assertMatch(text, /Content-Type: (text\/plain|application\/json)/);
    }
  });
});
