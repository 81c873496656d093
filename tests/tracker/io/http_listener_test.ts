import { assert, assertEquals, assertMatch, assertNotEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { decodeAnnounceReply, decodeScrapeReply } from "../../../lib/announce/http_reply.ts";
import type { AnnounceReply } from "../../../lib/announce/request.ts";
import { formatEndpoint } from "../../../lib/endpoint.ts";
import { UserError } from "../../../lib/errors.ts";
import { parseInfoHash } from "../../../lib/ids.ts";
import type { Network } from "../../../lib/io/network.ts";
import { type Announced, TrackerServer, type TrackerServerOptions } from "../../../tracker/io/http_listener.ts";
import { seededRandom } from "../../lib/mutations.ts";

const network: Network = {
  listen: (options) => Deno.listen(options),
  connect: ({ hostname, port }) => Deno.connect({ hostname, port }),
  listenDatagram: (options) => Deno.listenDatagram({ ...options, transport: "udp" }),
  interfaces: () => [],
};

/** Whether this machine has IPv6 at all. */
const hasIpv6 = (() => {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
})();

function start(change: Partial<TrackerServerOptions> = {}): TrackerServer {
  return TrackerServer.start({
    network,
    host: "127.0.0.1",
    port: 0,
    intervalMs: 60_000,
    now: () => performance.now(),
    random: seededRandom(1),
    onFault: (error) => {
      throw error;
    },
    ...change,
  });
}

async function withServer(
  change: Partial<TrackerServerOptions>,
  run: (server: TrackerServer) => Promise<void>,
): Promise<void> {
  const server = start(change);
  try {
    await run(server);
  } finally {
    await server.close();
  }
}

const hash = "%AB".repeat(20);
const query = (port: number, rest = "") =>
  `info_hash=${hash}&peer_id=-XX0000-abcdefg${port}&port=${port}&left=1${rest}`;

async function bytesOf(url: string): Promise<Uint8Array> {
  const response = await fetch(url);
  assertEquals(response.status, 200);
  return await response.bytes();
}

async function announce(server: TrackerServer, search: string, host = "127.0.0.1"): Promise<AnnounceReply> {
  return decodeAnnounceReply(await bytesOf(`http://${host}:${server.port}/announce?${search}`));
}

Deno.test("TrackerServer introduces peers to each other", async () => {
  await withServer({}, async (server) => {
    assertEquals((await announce(server, query(10001))).peers, []);
    const { peers, complete, incomplete } = await announce(server, query(10002, "&left=0"));
    assertEquals(peers.map(formatEndpoint), ["127.0.0.1:10001"]);
    assertEquals([complete, incomplete], [0, 2]);
  });
});

Deno.test("TrackerServer answers compact=0 with dictionaries", async () => {
  await withServer({}, async (server) => {
    await announce(server, query(10001));
    const text = new TextDecoder("latin1").decode(
      await bytesOf(`http://127.0.0.1:${server.port}/announce?${query(10002, "&compact=0")}`),
    );
    assertStringIncludes(text, "5:peersld2:ip9:127.0.0.17:peer id20:-XX0000-abcdefg100014:porti10001eeee");
  });
});

Deno.test("TrackerServer refuses in bencode, with status 200", async () => {
  await withServer({ allow: new Set([parseInfoHash("cd".repeat(20))!]) }, async (server) => {
    const refusal = async (search: string) =>
      new TextDecoder().decode(await bytesOf(`http://127.0.0.1:${server.port}${search}`));
    assertEquals(await refusal("/announce"), "d14:failure reason17:missing info_hashe");
    assertStringIncludes(await refusal(`/announce?${query(10001)}`), "does not track that torrent8:retry in5:nevere");
    assertStringIncludes(await refusal("/scrape"), "a scrape must name its info_hash");
  });
});

Deno.test("TrackerServer scrapes one swarm and several", async () => {
  await withServer({}, async (server) => {
    await announce(server, query(10001));
    const url = `http://127.0.0.1:${server.port}/scrape?info_hash=${hash}&info_hash=${"%CD".repeat(20)}`;
    assertEquals(decodeScrapeReply(await bytesOf(url)), [
      { infoHash: parseInfoHash("ab".repeat(20))!, complete: 0, incomplete: 1, downloaded: 0 },
    ]);
  });
});

Deno.test("TrackerServer tells its counters as JSON that no other site's script can read", async () => {
  await withServer({}, async (server) => {
    await announce(server, query(10001));
    const response = await fetch(`http://127.0.0.1:${server.port}/stats`, {
      headers: { origin: "http://evil.example" },
    });
    assertEquals(response.headers.get("content-type"), "application/json");
    assertEquals(response.headers.get("x-content-type-options"), "nosniff");
    assertEquals(response.headers.get("access-control-allow-origin"), null);
    const { swarms, peers, seeds, leechers, announces } = await response.json();
    assertEquals({ swarms, peers, seeds, leechers, announces }, {
      swarms: 1,
      peers: 1,
      seeds: 0,
      leechers: 1,
      announces: 1,
    });
  });
});

Deno.test("TrackerServer says what it refused and why, as JSON and on its page", async () => {
  await withServer({}, async (server) => {
    const url = `http://127.0.0.1:${server.port}`;
    for (const path of ["/announce?x", "/scrape", "/nothing"]) await bytesFrom(`${url}${path}`);
    await bytesFrom(`${url}/announce?${query(10001)}`, { method: "POST" });
    const { refused } = await (await fetch(`${url}/stats`)).json();
    assertEquals(
      [refused.announces.malformed, refused.pages, refused.http.otherMethod, refused.udp.short],
      [1, { denied: 0, notFound: 1, busy: 0 }, 1, 0],
    );
    const page = new TextDecoder().decode(await bytesOf(`${url}/`));
    assertMatch(page, /\n {2}announces malformed 1\n/);
    assertMatch(page, /\n {2}pages notFound 1\n/);
  });
});

async function bytesFrom(url: string, options: RequestInit = {}): Promise<Uint8Array> {
  return await (await fetch(url, options)).bytes();
}

Deno.test("TrackerServer shows its figures under no name that a stranger can own (DNS rebinding)", async () => {
  await withServer({}, async (server) => {
    const get = async (path: string, host: string) => {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      await connection.write(
        new TextEncoder().encode(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
      );
      return await new Response(connection.readable).text();
    };
    for (const path of ["/", "/stats", "/nothing"]) {
      assertMatch(await get(path, "evil.example"), /^HTTP\/1.1 403 /, path);
      assertMatch(await get(path, `evil.example:${server.port}`), /^HTTP\/1.1 403 /, path);
    }
    assertMatch(await get("/stats", `127.0.0.1:${server.port}`), /^HTTP\/1.1 200 /);
    assertMatch(await get("/stats", "localhost"), /^HTTP\/1.1 200 [^]*Content-Security-Policy: default-src 'none'/);
    assertMatch(await get("/announce?", "tracker.example"), /^HTTP\/1.1 200 /, "torrents name it as they like");
    assertEquals(server.stats.refused.pages.denied, 6);
  });
});

Deno.test("TrackerServer has a page for health and one about itself, and no others", async () => {
  await withServer({}, async (server) => {
    const get = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
      return [response.status, await response.text()] as const;
    };
    assertEquals(await get("/health"), [200, "ok\n"]);
    assertMatch((await get("/"))[1], /tracker[^]*\n {2}peers 0\n[^]*refused:\n {2}nothing\n$/);
    for (const path of ["/announce/", "/favicon.ico", "/../announce/x", "/%61nnounce"]) {
      assertEquals((await get(path))[0], 404, path);
    }
  });
});

Deno.test({
  name: "TrackerServer listens on IPv6 and IPv4 at once when no host is named",
  ignore: !hasIpv6,
  async fn() {
    await withServer({ host: undefined }, async (server) => {
      await announce(server, query(10001));
      const { peers } = await announce(server, query(10002), "[::1]");
      assertEquals(peers.map(formatEndpoint), ["127.0.0.1:10001"]);
      const both = await announce(server, query(10003));
      assertEquals(both.peers.map(formatEndpoint).sort(), ["127.0.0.1:10001", "[::1]:10002"]);
    });
  },
});

Deno.test("TrackerServer makes do with IPv4 where IPv6 is absent", async () => {
  const listen: Network["listen"] = (options) => {
    if (options.hostname === "::") throw new Error("Address family not supported by protocol (os error 97)");
    return Deno.listen(options);
  };
  await withServer({ host: undefined, network: { ...network, listen } }, async (server) => {
    assertEquals((await announce(server, query(10001))).peers, []);
  });
});

Deno.test("TrackerServer gives each family a socket where one does not serve both", async () => {
  const hosts: string[] = [];
  const listen: Network["listen"] = ({ hostname, port }) => {
    hosts.push(`${hostname} ${port === 0 ? "any" : "same"}`);
    // A system whose IPv6 sockets take IPv6 alone.
    return Deno.listen({ hostname: hostname === "::" ? "127.0.0.2" : "127.0.0.1", port });
  };
  await withServer({ host: undefined, network: { ...network, listen } }, async (server) => {
    assertEquals(hosts, [":: any", "0.0.0.0 same"]);
    await announce(server, query(10001));
    assertEquals((await announce(server, query(10002), "127.0.0.2")).peers.length, 1);
  });
});

Deno.test("TrackerServer.start() says that a port is in use, and which option helps", async () => {
  await withServer({}, (server) => {
    for (const host of ["127.0.0.1", undefined]) {
      const error = assertThrows(() => start({ port: server.port, host }), UserError) as UserError;
      assertStringIncludes(error.message, `port ${server.port}: another program uses that port`);
      assertStringIncludes(error.hint ?? "", "--port");
    }
    return Promise.resolve();
  });
});

Deno.test("TrackerServer.start() says that an address is not this machine's", () => {
  assertThrows(() => start({ host: "192.0.2.99" }), UserError, "this machine has no such address");
});

Deno.test("TrackerServer.announceUrls name the host that was asked for, else the addresses of this machine", async () => {
  await withServer({}, (server) => {
    assertEquals(server.announceUrls, [`http://127.0.0.1:${server.port}/announce`]);
    return Promise.resolve();
  });
  await withServer({ host: undefined }, (server) => {
    assertNotEquals(server.announceUrls.length, 0);
    for (const url of server.announceUrls) {
      assertMatch(url, /^http:\/\/(\[[0-9a-f:]+\]|[0-9.]+):\d+\/announce$/);
      assert(!/\[fe80|0\.0\.0\.0|\[::\]/.test(url), url);
    }
    return Promise.resolve();
  });
});

Deno.test("TrackerServer tells of each announce that it answered", async () => {
  const seen: Announced[] = [];
  await withServer({ onAnnounce: (announced) => seen.push(announced) }, async (server) => {
    await announce(server, query(10001, "&event=started"));
    await announce(server, query(10001));
    await bytesOf(`http://127.0.0.1:${server.port}/announce?nonsense`);
  });
  const common = {
    infoHash: parseInfoHash("ab".repeat(20))!,
    peer: "127.0.0.1:10001",
    left: 1,
    complete: 0,
    incomplete: 1,
  };
  assertEquals(seen, [{ ...common, kind: "started" }, { ...common, kind: "regular" }]);
});

Deno.test("TrackerServer forgets peers that are silent", async () => {
  let now = 0;
  const { promise: swept, resolve } = Promise.withResolvers<void>();
  await withServer({
    now: () => {
      if (now === 2000) resolve();
      return now;
    },
    lifetimeMs: 1000,
  }, async (server) => {
    await announce(server, query(10001));
    now = 2000;
    await swept;
    assertEquals(server.stats.peersExpired, 1);
  });
});
