import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { HttpServer } from "../../../lib/io/http_server.ts";
import { httpTurnRequestsMax } from "../../../lib/limits/http_server.ts";
import type { SocketListener } from "../../../lib/io/network.ts";
import { handle, listenChanged, readAll, readUntil, TestServer, withServer, writeAll } from "./http_test_server.ts";

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

Deno.test("HttpServer answers all requests of one read in one write, but so many at once that others have their turn", async () => {
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
  await writeAll(connection, `${"GET /b HTTP/1.1\r\n\r\n".repeat(2 * httpTurnRequestsMax)}GET /end HTTP/1.1\r\n\r\n`);
  await readUntil(connection, "/end|");
  assertEquals(writes.length, 1 + 3);
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
