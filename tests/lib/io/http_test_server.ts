/** An HttpServer on loopback for tests, and clients of it that say what they like. */
import { assert } from "@std/assert";
import { bytesFromLatin1, concatBytes, latin1FromBytes } from "../../../lib/bytes.ts";
import { type HttpEnds, type HttpHandler, type HttpLimits, HttpServer } from "../../../lib/io/http_server.ts";
import type { Socket, SocketListener } from "../../../lib/io/network.ts";

/** A server on loopback whose replies repeat path and query; `/large` has 100 kB. */
export class TestServer {
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

export const handle: HttpHandler = ({ path, query }) => {
  if (path === "/fault") throw new Error("a bug");
  const body = path === "/large"
    ? new Uint8Array(100_000).fill(0x78)
    : bytesFromLatin1(`${path}|${latin1FromBytes(query)}`);
  return { status: path === "/missing" ? 404 : 200, contentType: "text/plain", body };
};

/** A listener on loopback whose sockets are changed before the server gets them. */
export function listenChanged(change: (socket: Socket) => void): SocketListener {
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

export async function writeAll(connection: Deno.TcpConn, text: string): Promise<void> {
  const bytes = bytesFromLatin1(text);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** All that the server sends until it ends the connection, in whatever way; our end is closed then too. */
export async function readAll(connection: Deno.TcpConn): Promise<string> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of connection.readable) parts.push(part);
  } catch { /* cut off */ }
  return latin1FromBytes(concatBytes(parts));
}

/** Reads until the text ends with `end`. */
export async function readUntil(connection: Deno.TcpConn, end: string): Promise<string> {
  const buffer = new Uint8Array(65536);
  let text = "";
  while (!text.endsWith(end)) {
    const count = await connection.read(buffer);
    assert(count !== null, `the connection ended after ${JSON.stringify(text)}`);
    text += latin1FromBytes(buffer.subarray(0, count));
  }
  return text;
}

export async function withServer(
  limits: Partial<HttpLimits>,
  run: (server: TestServer) => Promise<void>,
): Promise<void> {
  const server = new TestServer(limits);
  try {
    await run(server);
  } finally {
    await server.server.close();
  }
}
