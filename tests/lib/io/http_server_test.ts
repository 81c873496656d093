import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { bytesFromLatin1, concatBytes, latin1FromBytes } from "../../../lib/bytes.ts";
import { type HttpEnds, type HttpHandler, type HttpLimits, HttpServer } from "../../../lib/io/http_server.ts";
import type { Socket, SocketListener } from "../../../lib/io/network.ts";

/** A server on loopback whose replies repeat path and query; `/large` has 100 kB. */
class TestServer {
  readonly listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly port = this.listener.addr.port;
  readonly ends: HttpEnds[] = [];
  readonly faults: unknown[] = [];
  readonly server: HttpServer;

  constructor(limits: Partial<HttpLimits> = {}) {
    this.server = new HttpServer({
      listeners: [this.listener],
      open: (ends) => {
        this.ends.push(ends);
        return handle;
      },
      onFault: (error) => this.faults.push(error),
      limits,
    });
  }

  connect(): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname: "127.0.0.1", port: this.port });
  }

  /** Sends the text, says nothing more, and reads until the server closes. */
  async exchange(text: string): Promise<string> {
    using connection = await this.connect();
    await writeAll(connection, text);
    return await readAll(connection);
  }
}

const handle: HttpHandler = ({ path, query }) => {
  if (path === "/fault") throw new Error("a bug");
  const body = path === "/large"
    ? new Uint8Array(100_000).fill(0x78)
    : bytesFromLatin1(`${path}|${latin1FromBytes(query)}`);
  return { status: path === "/missing" ? 404 : 200, contentType: "text/plain", body };
};

/** A listener on loopback whose sockets are changed before the server gets them. */
function listenChanged(change: (socket: Socket) => void): SocketListener {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return {
    addr: listener.addr,
    close: () => listener.close(),
    accept: async () => {
      const socket: Socket = await listener.accept();
      change(socket);
      return socket;
    },
  };
}

async function writeAll(connection: Deno.TcpConn, text: string): Promise<void> {
  const bytes = bytesFromLatin1(text);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** All that the server sends until it ends the connection, in whatever way; our end is closed then too. */
async function readAll(connection: Deno.TcpConn): Promise<string> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of connection.readable) parts.push(part);
  } catch { /* cut off */ }
  return latin1FromBytes(concatBytes(parts));
}

/** Reads until the text ends with `end`. */
async function readUntil(connection: Deno.TcpConn, end: string): Promise<string> {
  const buffer = new Uint8Array(65536);
  let text = "";
  while (!text.endsWith(end)) {
    const count = await connection.read(buffer);
    assert(count !== null, `the connection ended after ${JSON.stringify(text)}`);
    text += latin1FromBytes(buffer.subarray(0, count));
  }
  return text;
}

async function withServer(limits: Partial<HttpLimits>, run: (server: TestServer) => Promise<void>): Promise<void> {
  const server = new TestServer(limits);
  try {
    await run(server);
  } finally {
    await server.server.close();
  }
}

const bodies = (text: string) => [...text.matchAll(/\r\n\r\n([^H]*)/g)].map(([, body]) => body);

Deno.test("HttpServer answers and keeps the connection", async () => {
  await withServer({}, async (server) => {
    using connection = await server.connect();
    await writeAll(connection, "GET /a?b=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    assertEquals(
      await readUntil(connection, "/a|b=1"),
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n" +
        "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\r\n/a|b=1",
    );
    await writeAll(connection, "GET /missing HTTP/1.1\r\n\r\n");
    assertMatch(await readUntil(connection, "/missing|"), /^HTTP\/1.1 404 Not Found\r\n/);
    assertEquals(server.server.connectionCount, 1);
  });
});

Deno.test("HttpServer closes after a request that asks for it, and after HTTP/1.0", async () => {
  await withServer({}, async (server) => {
    assertStringIncludes(
      await server.exchange("GET /a HTTP/1.1\r\nConnection: close\r\n\r\n"),
      "Connection: close\r\n",
    );
    assertStringIncludes(await server.exchange("GET /a HTTP/1.0\r\n\r\n"), "Connection: close\r\n");
  });
});

Deno.test("HttpServer closes at once after a request that says it is the last, and not before others are read", async () => {
  let lingers = 0;
  const listener = listenChanged((socket) => {
    const closeWrite = socket.closeWrite.bind(socket);
    socket.closeWrite = () => (lingers++, closeWrite());
  });
  const server = new HttpServer({ listeners: [listener], open: () => handle, onFault: () => {} });
  const lingersAfter = async (text: string) => {
    lingers = 0;
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    await writeAll(connection, text);
    await readAll(connection);
    return lingers;
  };
  assertEquals(await lingersAfter("GET /a HTTP/1.1\r\nConnection: close\r\n\r\n"), 0);
  assertEquals(await lingersAfter("GET /a HTTP/1.0\r\n\r\n"), 0);
  assertEquals(await lingersAfter("GET /a HTTP/1.0\r\n\r\nGET /b HTTP/1.0\r\n\r\n"), 1);
  assertEquals(await lingersAfter("POST /a HTTP/1.1\r\n\r\n"), 1);
  await server.close();
});

Deno.test("HttpServer starts each client of a connection's place afresh", async () => {
  await withServer({}, async (server) => {
    for (const rest of ["GET /cut HTTP/1.1\r\nx: y", "nonsense\r\n\r\n", `GET /${"x".repeat(3000)} HT`]) {
      using connection = await server.connect();
      await writeAll(connection, `GET /a HTTP/1.1\r\n\r\n${rest}`);
      await connection.closeWrite();
      await readAll(connection);
      const reply = await server.exchange("GET /b HTTP/1.1\r\nConnection: close\r\n\r\n");
      assertMatch(reply, /^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\n\/b\|$/);
    }
  });
});

Deno.test("HttpServer tells an HTTP/1.0 client that asks for it that the connection is kept", async () => {
  await withServer({}, async (server) => {
    using connection = await server.connect();
    for (let i = 0; i < 2; i++) {
      await writeAll(connection, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
      assertStringIncludes(await readUntil(connection, "/a|"), "Connection: keep-alive\r\n");
    }
  });
});

Deno.test("HttpServer answers HEAD without a body", async () => {
  await withServer({}, async (server) => {
    const reply = await server.exchange("HEAD /a?b HTTP/1.1\r\nConnection: close\r\n\r\n");
    assertStringIncludes(reply, "Content-Length: 4\r\n");
    assert(reply.endsWith("\r\n\r\n"));
  });
});

Deno.test("HttpServer answers pipelined requests in order", async () => {
  await withServer({}, async (server) => {
    const requests = Array.from({ length: 300 }, (_, i) => `GET /${i} HTTP/1.1\r\n\r\n`);
    const text = await server.exchange(`${requests.join("")}GET /end HTTP/1.1\r\nConnection: close\r\n\r\n`);
    assertEquals(bodies(text), [...requests.map((_, i) => `/${i}|`), "/end|"]);
  });
});

Deno.test("HttpServer answers all requests of one read in one write", async () => {
  const writes: number[] = [];
  const listener = listenChanged((socket) => {
    const write = socket.write.bind(socket);
    socket.write = (bytes) => {
      writes.push(bytes.length);
      return write(bytes);
    };
  });
  const server = new HttpServer({ listeners: [listener], open: () => handle, onFault: () => {} });
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  await writeAll(connection, "GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n");
  await readUntil(connection, "/c|");
  assertEquals(writes.length, 1);
  connection.close();
  await server.close();
});

Deno.test("HttpServer sends replies that are larger than one turn, and goes on behind them", async () => {
  await withServer({}, async (server) => {
    const text = await server.exchange(
      "GET /large HTTP/1.1\r\n\r\n".repeat(5) + "GET /a HTTP/1.1\r\nConnection: close\r\n\r\n",
    );
    assertEquals(bodies(text).map((body) => body.length), [100_000, 100_000, 100_000, 100_000, 100_000, 3]);
  });
});

Deno.test("HttpServer understands a request that comes byte by byte", async () => {
  await withServer({}, async (server) => {
    using connection = await server.connect();
    connection.setNoDelay(true);
    for (const character of "GET /a?b=%20 HTTP/1.1\r\nHost: x\r\n\r\n") await writeAll(connection, character);
    assertMatch(await readUntil(connection, "/a|b=%20"), /^HTTP\/1.1 200 OK/);
  });
});

Deno.test("HttpServer takes a head that is larger than its first buffer", async () => {
  await withServer({}, async (server) => {
    const query = "x".repeat(7000);
    const text = await server.exchange(
      `GET /a?${query} HTTP/1.1\r\nConnection: close\r\nx: ${"y".repeat(6000)}\r\n\r\n`,
    );
    assertEquals(bodies(text), [`/a|${query}`]);
  });
});

Deno.test("HttpServer refuses what it does not do, and the client gets to read why", async () => {
  await withServer({}, async (server) => {
    const table: [string, string][] = [
      ["POST /a HTTP/1.1\r\n\r\n", "405 Method Not Allowed"],
      ["hello\r\n\r\n", "400 Bad Request"],
      ["GET /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "413 Content Too Large"],
      [`GET /${"x".repeat(9000)} HTTP/1.1\r\n\r\n`, "414 URI Too Long"],
      [`GET /a HTTP/1.1\r\nx: ${"x".repeat(17_000)}\r\n\r\n`, "431 Request Header Fields Too Large"],
      [`GET /a HTTP/1.1\r\n${"x: y\r\n".repeat(65)}\r\n`, "431 Request Header Fields Too Large"],
      ["GET /a HTTP/3.0\r\n\r\n", "505 HTTP Version Not Supported"],
    ];
    for (const [text, status] of table) {
      const reply = await server.exchange(text);
      assertStringIncludes(reply, `HTTP/1.1 ${status}\r\n`, text.slice(0, 40));
      assertStringIncludes(reply, "Connection: close\r\n");
    }
  });
});

Deno.test("HttpServer answers what came before a bad request", async () => {
  await withServer({}, async (server) => {
    const reply = await server.exchange("GET /a HTTP/1.1\r\n\r\nnonsense\r\n\r\n");
    assertMatch(reply, /^HTTP\/1.1 200 OK[^]*\/a\|HTTP\/1.1 400 Bad Request/);
  });
});

Deno.test("HttpServer answers a client that has closed its sending half", async () => {
  await withServer({}, async (server) => {
    using connection = await server.connect();
    await writeAll(connection, "GET /a HTTP/1.1\r\n\r\n");
    await connection.closeWrite();
    assertStringIncludes(await readAll(connection), "/a|");
  });
});

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

Deno.test("HttpServer refuses a connection when all others are at work", async () => {
  await withServer({ connectionsMax: 1 }, async (server) => {
    using busy = await server.connect();
    await writeAll(busy, "GET /a");
    assertStringIncludes(await server.exchange(""), "HTTP/1.1 503 Service Unavailable\r\n");
    await writeAll(busy, " HTTP/1.1\r\n\r\n");
    await readUntil(busy, "/a|");
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

Deno.test("HttpServer tells the handler both ends of the connection", async () => {
  await withServer({}, async (server) => {
    await server.exchange("GET /a HTTP/1.0\r\n\r\n");
    assertEquals(server.ends, [{ remote: "127.0.0.1", local: "127.0.0.1" }]);
  });
});

Deno.test("HttpServer survives a handler that throws, and tells of it", async () => {
  await withServer({}, async (server) => {
    const reply = await server.exchange("GET /fault HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\nConnection: close\r\n\r\n");
    assertMatch(reply, /^HTTP\/1.1 500 [^]*\/a\|$/);
    assertEquals(server.faults.map(String), ["Error: a bug"]);
  });
});

Deno.test("HttpServer survives accept() failing for a while", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let failures = 2;
  const failing: SocketListener = {
    addr: listener.addr,
    close: () => listener.close(),
    accept: () => failures-- > 0 ? Promise.reject(new Error("Too many open files (os error 24)")) : listener.accept(),
  };
  const server = new HttpServer({ listeners: [failing], open: () => handle, onFault: () => {} });
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  await writeAll(connection, "GET /a HTTP/1.1\r\nConnection: close\r\n\r\n");
  assertStringIncludes(await readAll(connection), "/a|");
  await server.close();
});

Deno.test("HttpServer.close() ends idle connections and leaves nothing open", async () => {
  const server = new TestServer();
  const connection = await server.connect();
  await writeAll(connection, "GET /a HTTP/1.1\r\n\r\n");
  await readUntil(connection, "/a|");
  await server.server.close();
  assertEquals(await readAll(connection), "");
  assertEquals(server.server.connectionCount, 0);
});
