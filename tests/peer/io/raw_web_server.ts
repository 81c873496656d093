/** A web server that says exactly what a test makes it say, one request on each connection. */
import { bytesFromLatin1, latin1FromBytes } from "../../../lib/bytes.ts";

/** The whole answer, after which the connection is closed, or what to do with the connection. */
export type Answer = (head: string, connection: Deno.TcpConn) => Uint8Array | Promise<void>;

export class RawWebServer implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly origin = `http://127.0.0.1:${this.#listener.addr.port}`;
  /** The heads of all requests. */
  readonly requests: string[] = [];
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #serving: Promise<void>;

  constructor(answer: Answer) {
    this.#serving = this.#serve(answer);
  }

  /** Path and range of each request. */
  get asked(): string[] {
    return this.requests.map((head) =>
      `${/^GET (\S*)/.exec(head)?.[1]} ${/^range: bytes=(.*)/im.exec(head)?.[1].trim()}`
    );
  }

  async #serve(answer: Answer): Promise<void> {
    for await (const connection of this.#listener) {
      this.#connections.add(connection);
      this.#answer(connection, answer).catch(() => {/* the client has left */}).finally(() => this.#close(connection));
    }
  }

  async #answer(connection: Deno.TcpConn, answer: Answer): Promise<void> {
    const buffer = new Uint8Array(16 * 1024);
    let head = "";
    while (!head.endsWith("\r\n\r\n")) {
      const count = await connection.read(buffer);
      if (count === null) return;
      head += latin1FromBytes(buffer.subarray(0, count));
    }
    this.requests.push(head);
    const reply = answer(head, connection);
    if (reply instanceof Uint8Array) await writeAll(connection, reply);
    else await reply;
  }

  #close(connection: Deno.TcpConn): void {
    if (this.#connections.delete(connection)) connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) this.#close(connection);
    await this.#serving;
  }
}

export async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Status line, headers and body as bytes. */
export function reply(status: string, headers: Readonly<Record<string, string>>, body = new Uint8Array(0)): Uint8Array {
  const all = { "Content-Length": String(body.length), "Connection": "close", ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const head = bytesFromLatin1(`HTTP/1.1 ${status}\r\n${lines}\r\n`);
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return bytes;
}

/** Answers as a good server would: the range that was asked for. */
export function serveRange(head: string, file: Uint8Array<ArrayBuffer>): Uint8Array {
  const [, first, last] = /^range: bytes=(\d+)-(\d+)/im.exec(head)!.map(Number);
  return reply(
    "206 Partial Content",
    { "Content-Range": `bytes ${first}-${last}/${file.length}` },
    file.slice(first, last + 1),
  );
}
