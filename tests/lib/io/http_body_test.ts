import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { bytesFromLatin1, concatBytes, latin1FromBytes } from "../../../lib/bytes.ts";
import type { HttpBody, HttpReply } from "../../../lib/http_response.ts";
import { type HttpLimits, HttpServer } from "../../../lib/io/http_server.ts";

/** Milliseconds for a body to be closed, on a machine that does much else. */
const closeDeadlineMs = 20_000;

/** A body that counts what becomes of it. */
class CountedBody implements HttpBody {
  readonly length: number;
  readCount = 0;
  closeCount = 0;
  readonly #closed = Promise.withResolvers<void>();
  /** Bytes that it gives in truth. */
  readonly #truth: number;

  constructor(length: number, truth = length) {
    this.length = length;
    this.#truth = truth;
  }

  read(into: Uint8Array): Promise<number> {
    const count = Math.min(into.length, this.#truth - this.readCount);
    for (let i = 0; i < count; i++) into[i] = (this.readCount + i) % 251;
    this.readCount += count;
    return Promise.resolve(count);
  }

  close(): void {
    this.closeCount++;
    this.#closed.resolve();
  }

  /** Waits until it is closed, not for ever. */
  async whenClosed(): Promise<void> {
    let deadline: ReturnType<typeof setTimeout> | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      deadline = setTimeout(() => reject(new Error("the body was never closed")), closeDeadlineMs);
    });
    await Promise.race([this.#closed.promise, tooLate]).finally(() => clearTimeout(deadline));
  }
}

async function withServer(
  answer: (path: string, host: string | undefined, range: string | undefined) => HttpReply,
  run: (port: number) => Promise<void>,
  limits: Partial<HttpLimits> = {},
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const server = new HttpServer({
    listeners: [listener],
    open: () => ({ path, host, range }) => answer(path, host, range),
    onFault: (error) => {
      throw error;
    },
    limits,
  });
  try {
    await run(listener.addr.port);
  } finally {
    await server.close();
  }
}

const ok = (body: Uint8Array | HttpBody, headers?: string): HttpReply => {
  return { status: 200, contentType: "text/plain", body, ...(headers && { headers }) };
};

async function exchange(port: number, text: string): Promise<Uint8Array> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(bytesFromLatin1(text));
  const parts: Uint8Array[] = [];
  try {
    for await (const part of connection.readable) parts.push(part);
  } catch { /* cut off */ }
  return concatBytes(parts);
}

Deno.test("HttpServer sends a body that is read while it is sent, whole, and closes it", async () => {
  const body = new CountedBody(1_000_003);
  await withServer(() => ok(body), async (port) => {
    const response = await fetch(`http://127.0.0.1:${port}/`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    assertEquals([response.headers.get("content-length"), bytes.length], ["1000003", 1_000_003]);
    assert(bytes.every((byte, i) => byte === i % 251));
  });
  assertEquals(body.closeCount, 1);
});

Deno.test("HttpServer keeps the order of replies where one of several has such a body", async () => {
  const replies: Record<string, () => HttpReply> = {
    "/a": () => ok(bytesFromLatin1("first")),
    "/b": () => ok(new CountedBody(300_000)),
    "/c": () => ok(bytesFromLatin1("last")),
  };
  await withServer((path) => replies[path](), async (port) => {
    const requests = ["/a", "/b", "/c"].map((path) => `GET ${path} HTTP/1.1\r\n\r\n`).join("");
    const bytes = await exchange(port, requests.replace(/\r\n\r\n$/, "\r\nConnection: close\r\n\r\n"));
    const text = latin1FromBytes(bytes);
    const at = ["first", "Content-Length: 300000", "last"].map((part) => text.indexOf(part));
    assertEquals(at.toSorted((a, b) => a - b), at);
    assert(at[0] > 0);
    assert(text.endsWith("last"));
    assertLess(300_000, bytes.length);
  });
});

Deno.test("HttpServer sends the head alone for HEAD, and closes the body unread", async () => {
  const body = new CountedBody(5_000);
  await withServer(() => ok(body), async (port) => {
    const text = latin1FromBytes(await exchange(port, "HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n"));
    assertStringIncludes(text, "Content-Length: 5000\r\n");
    assert(text.endsWith("\r\n\r\n"));
  });
  assertEquals([body.readCount, body.closeCount], [0, 1]);
});

Deno.test("HttpServer ends the connection where a body is shorter than it said, or fails", async () => {
  const short = new CountedBody(5_000, 4_000);
  const failing: HttpBody = { length: 10, read: () => Promise.reject(new Error("disk")), close: () => closed++ };
  let closed = 0;
  await withServer((path) => ok(path === "/short" ? short : failing), async (port) => {
    const bytes = await exchange(port, "GET /short HTTP/1.1\r\n\r\nGET /short HTTP/1.1\r\n\r\n");
    assertEquals(latin1FromBytes(bytes).split("HTTP/1.1 200").length, 2);
    await exchange(port, "GET /failing HTTP/1.1\r\n\r\n");
  });
  assertEquals([short.closeCount, closed], [1, 1]);
});

Deno.test("HttpServer closes the body of a client that goes away", async () => {
  const body = new CountedBody(1_000_000_000);
  await withServer(() => ok(body), async (port) => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(bytesFromLatin1("GET / HTTP/1.1\r\n\r\n"));
    await connection.read(new Uint8Array(1000));
    connection.close();
    await body.whenClosed();
  });
  assertEquals(body.closeCount, 1);
  assertLess(body.readCount, 100_000_000);
});

Deno.test("HttpServer gives up the body of a client that takes nothing for too long", async () => {
  const body = new CountedBody(1_000_000_000);
  await withServer(() => ok(body), async (port) => {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(bytesFromLatin1("GET / HTTP/1.1\r\n\r\n"));
    await body.whenClosed();
  }, { writeTimeoutMs: 50 });
  assertEquals(body.closeCount, 1);
});

Deno.test("HttpServer answers others while a body goes to a slow client", async () => {
  await withServer(
    (path) => ok(path === "/slow" ? new CountedBody(1_000_000_000) : bytesFromLatin1("quick")),
    async (port) => {
      const slow = await Deno.connect({ hostname: "127.0.0.1", port });
      await slow.write(bytesFromLatin1("GET /slow HTTP/1.1\r\n\r\n"));
      await slow.read(new Uint8Array(1000));
      for (let i = 0; i < 50; i++) assertEquals(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "quick");
      slow.close();
    },
  );
});

Deno.test("HttpServer hands the handler Host and Range, and sends further headers", async () => {
  const seen: (string | undefined)[][] = [];
  const answer = (_path: string, host: string | undefined, range: string | undefined) => {
    seen.push([host, range]);
    return ok(bytesFromLatin1("x"), "X-One: 1\r\nX-Two: 2\r\n");
  };
  await withServer(answer, async (port) => {
    const first = "GET / HTTP/1.1\r\nhOST:  a.local:80 \r\nRange: bytes=1-\r\n\r\n";
    const text = latin1FromBytes(await exchange(port, `${first}GET / HTTP/1.1\r\nConnection: close\r\n\r\n`));
    assertStringIncludes(text, "Content-Length: 1\r\nX-One: 1\r\nX-Two: 2\r\nX-Content-Type-Options: nosniff\r\n");
  });
  assertEquals(seen, [["a.local:80", "bytes=1-"], [undefined, undefined]]);
});
