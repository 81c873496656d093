import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { HttpServer } from "../../../lib/io/http_server.ts";
import { waitFor } from "../../interop/wait.ts";
import { handle, listenChanged, readAll, readUntil, TestServer, withServer, writeAll } from "./http_test_server.ts";

Deno.test("HttpServer cuts off a client that never says anything", async () => {
  await withServer({ headTimeoutMs: 30 }, async (server) => {
    using connection = await server.connect();
    assertEquals(await readAll(connection), "");
  });
});

Deno.test("HttpServer cuts off a client that sends its head too slowly", async () => {
  await withServer({ headTimeoutMs: 150 }, async (server) => {
    using connection = await server.connect();
    const reading = readAll(connection);
    let sent = 0;
    try {
      await writeAll(connection, "GET /a HTTP/1.1\r\n");
      // Each line is soon enough after the last; the head as a whole never ends.
      for (; sent < 200; sent++) {
        await writeAll(connection, `x: ${sent}\r\n`);
        await new Promise((resolve) => setTimeout(resolve, 5)); // a client's slowness is what is tested
      }
    } catch { /* cut off while writing */ }
    assertEquals(await reading, "");
    assert(sent < 200, "it was never cut off");
  });
});

Deno.test("HttpServer cuts off a kept connection that stays silent", async () => {
  await withServer({ idleTimeoutMs: 30 }, async (server) => {
    assertStringIncludes(await server.exchange("GET /a HTTP/1.1\r\n\r\n"), "/a|");
  });
});

Deno.test("HttpServer cuts off a client that does not read its replies", async () => {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const listener = listenChanged((socket) => {
    const close = socket.close.bind(socket);
    socket.close = () => {
      close();
      resolve();
    };
  });
  const limits = { writeTimeoutMs: 50 };
  const server = new HttpServer({ listeners: [listener], open: () => handle, onFault: () => {}, limits });
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  // 50 MB of replies: more than the socket buffers of both ends hold.
  await writeAll(connection, "GET /large HTTP/1.1\r\n\r\n".repeat(500));
  await closed;
  assertLess((await readAll(connection)).length, 25_000_000);
  await server.close();
});

Deno.test("HttpServer closes the oldest idle connection to make room for a new one", async () => {
  await withServer({ connectionsMax: 2 }, async (server) => {
    const [first, second] = [await server.connect(), await server.connect()];
    for (const connection of [first, second]) {
      await writeAll(connection, "GET /a HTTP/1.1\r\n\r\n");
      await readUntil(connection, "/a|");
    }
    assertStringIncludes(await server.exchange("GET /b HTTP/1.1\r\nConnection: close\r\n\r\n"), "/b|");
    assertEquals(await readAll(first), "");
    await writeAll(second, "GET /c HTTP/1.1\r\n\r\n");
    await readUntil(second, "/c|");
    second.close();
  });
});

/** Asks for 50 MB and reads nothing: more than the socket buffers of both ends hold. */
async function askAndNeverRead(server: TestServer): Promise<Deno.TcpConn> {
  const connection = await server.connect();
  await writeAll(connection, "GET /large HTTP/1.1\r\n\r\n".repeat(500));
  return connection;
}

Deno.test("HttpServer gives the place of one that has not asked yet to a newcomer", async () => {
  await withServer({ connectionsMax: 1 }, async (server) => {
    using slow = await server.connect();
    await writeAll(slow, "GET /a");
    assertStringIncludes(await server.exchange("GET /b HTTP/1.1\r\nConnection: close\r\n\r\n"), "/b|");
    assertEquals(await readAll(slow), "");
    assertEquals(server.server.refused.madeRoom, 1);
  });
});

/** A server whose first `count` connections' replies are not taken until `release`. */
async function withHeldReplies(
  { count, connectionsMax }: { count: number; connectionsMax: number },
  run: (server: HttpServer, connect: () => Promise<Deno.TcpConn>) => Promise<void>,
): Promise<void> {
  const { promise: areWriting, resolve: begin } = Promise.withResolvers<void>();
  const { promise: mayWrite, resolve: release } = Promise.withResolvers<void>();
  let [accepted, writing] = [0, 0];
  const listener = listenChanged((socket) => {
    if (accepted++ >= count) return;
    const write = socket.write.bind(socket);
    socket.write = async (bytes) => {
      if (++writing === count) begin();
      await mayWrite;
      return await write(bytes);
    };
  });
  const server = new HttpServer({
    listeners: [listener],
    open: () => handle,
    onFault: () => {},
    limits: { connectionsMax },
  });
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const held = await Promise.all(Array.from({ length: count }, connect));
  for (const connection of held) await writeAll(connection, "GET /a HTTP/1.1\r\n\r\n");
  await areWriting;
  await run(server, connect);
  release();
  for (const connection of held) {
    await readUntil(connection, "/a|");
    connection.close();
  }
  await server.close();
}

Deno.test("HttpServer refuses a connection when all others are being answered", async () => {
  await withHeldReplies({ count: 1, connectionsMax: 1 }, async (server, connect) => {
    assertStringIncludes(await readAll(await connect()), "HTTP/1.1 503 Service Unavailable\r\n");
    assertEquals(server.refused.tooManyConnections, 1);
  });
});

Deno.test("HttpServer lets others have their turn between those of a client that sends faster than it is answered", async () => {
  await withServer({}, async (server) => {
    using fast = await server.connect();
    const isRead = readUntil(fast, "/end|");
    await writeAll(fast, `${"GET /a HTTP/1.1\r\n\r\n".repeat(1_000)}GET /end HTTP/1.1\r\n\r\n`);
    assertStringIncludes(await server.exchange("GET /b HTTP/1.1\r\nConnection: close\r\n\r\n"), "/b|");
    await isRead;
    assert(server.server.refused.tooFast > 0);
  });
});

Deno.test("HttpServer sends nothing large and keeps nobody while half of its connections are not read from", async () => {
  await withHeldReplies({ count: 2, connectionsMax: 4 }, async (server, connect) => {
    const ask = async (path: string) => {
      const connection = await connect();
      await writeAll(connection, `GET ${path} HTTP/1.1\r\n\r\n`);
      return await readAll(connection);
    };
    assertMatch(await ask("/a"), /^HTTP\/1.1 200 [^]*Connection: close[^]*\/a\|$/);
    assertMatch(await ask("/large"), /^HTTP\/1.1 503 /);
    assertEquals(server.refused.crowded, 1);
  });
});

Deno.test("HttpServer gives the place of a client that does not read to others, and counts it", async () => {
  await withServer({ writeTimeoutMs: 50 }, async (server) => {
    using _unread = await askAndNeverRead(server);
    await waitFor("the end of its time", () => server.server.refused.unreadReply === 1 || undefined, 5_000);
    assertEquals(server.server.connectionCount, 0);
  });
});

Deno.test("HttpServer counts what it refuses by reason, and nothing else", async () => {
  await withServer({ headTimeoutMs: 60 }, async (server) => {
    await server.exchange("GET /a HTTP/1.1\r\nConnection: close\r\n\r\n");
    await server.exchange("NONSENSE\r\n\r\n");
    await server.exchange("POST /a HTTP/1.1\r\n\r\n");
    await server.exchange("GET /a HTTP/1.1\r\nContent-Length: 5\r\n\r\n");
    await server.exchange(`GET /${"a".repeat(10_000)} HTTP/1.1\r\n\r\n`);
    await server.exchange(`GET /a HTTP/1.1\r\n${"A: b\r\n".repeat(100)}\r\n`);
    await server.exchange("GET /a HTTP/2.0\r\n\r\n");
    await server.exchange("GET /a HTTP/1.1\r\nHo");
    const told = Object.entries(server.server.refused).filter(([, count]) => count > 0);
    assertEquals(Object.fromEntries(told), {
      malformed: 1,
      otherMethod: 1,
      hasBody: 1,
      tooLong: 2,
      otherVersion: 1,
      slowRequest: 1,
    });
  });
});

Deno.test("HttpServer bounds the connections of one address, but not of loopback", async () => {
  let remote = "192.0.2.7";
  const listener = listenChanged((socket) =>
    Object.defineProperty(socket, "remoteAddr", { value: { hostname: remote } })
  );
  const limits = { connectionsPerAddressMax: 1 };
  const server = new HttpServer({ listeners: [listener], open: () => handle, onFault: () => {}, limits });
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const first = await connect();
  await writeAll(first, "GET /a HTTP/1.1\r\n\r\n");
  await readUntil(first, "/a|");
  const second = await connect();
  assertMatch(await readAll(second), /^HTTP\/1.1 503 /);
  remote = "127.0.0.1";
  const others = [await connect(), await connect()];
  for (const other of others) {
    await writeAll(other, "GET /a HTTP/1.1\r\n\r\n");
    await readUntil(other, "/a|");
  }
  for (const connection of [first, ...others]) connection.close();
  await server.close();
});
