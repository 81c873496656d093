/**
 * One GET over the Network's own sockets: what `get` asks of a `share`. No redirects, no proxies, no more than was bargained
 * for; names and addresses with zones are left to the system, which knows both.
 */
import { bytesFromLatin1 } from "../bytes.ts";
import { formatEndpoint } from "../endpoint.ts";
import { ProtocolError } from "../errors.ts";
import { readHttpAnswer } from "../http_answer.ts";
import { httpHeadBytesMax } from "../limits/http_server.ts";
import { shareTimeoutMs } from "../limits/shares.ts";
import { KiB } from "../limits/units.ts";
import { connectOnAnyLink } from "./link_local.ts";
import type { Network, Socket } from "./network.ts";

export interface HttpGet {
  readonly host: string;
  readonly port: number;
  /** With the query. */
  readonly path: string;
  /** Bytes of the body at most. */
  readonly bytesMax: number;
  readonly signal: AbortSignal;
  /** Milliseconds for all of it. */
  readonly timeoutMs?: number;
}

/** What came back. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: Uint8Array;
  /** The address that the connection led to. */
  readonly remote: string;
}

/**
 * Asks.
 *
 * @throws ProtocolError when the answer is none or too large; what the Network throws when there is no connection; the
 * reason of the signal
 */
export async function httpGet(network: Network, get: HttpGet): Promise<HttpAnswer> {
  const { host, port, path, bytesMax, timeoutMs = shareTimeoutMs } = get;
  const signal = AbortSignal.any([get.signal, AbortSignal.timeout(timeoutMs)]);
  const socket = await connectOnAnyLink(network, { hostname: host, port, signal });
  const close = () => closeQuietly(socket);
  signal.addEventListener("abort", close);
  try {
    signal.throwIfAborted();
    const name = formatEndpoint({ host: host.split("%", 1)[0], port });
    const head = bytesFromLatin1(`GET ${path} HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
    for (let at = 0; at < head.length;) at += await socket.write(head.subarray(at));
    const answer = readHttpAnswer(await readAll(socket, httpHeadBytesMax + bytesMax));
    if (answer.body.length > bytesMax) throw new ProtocolError("its answer is too large");
    return { ...answer, remote: socket.remoteAddr.hostname };
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

function closeQuietly(socket: Socket): void {
  try {
    socket.close();
  } catch { /* it was closed before */ }
}

/** All until the other side ends, in memory that grows with what has come: who sends a byte at a time costs no more. */
async function readAll(socket: Socket, bytesMax: number): Promise<Uint8Array> {
  let bytes = new Uint8Array(firstReadBytes);
  let length = 0;
  for (;;) {
    const count = await socket.read(bytes.subarray(length));
    if (count === null) return bytes.subarray(0, length);
    length += count;
    if (length > bytesMax) throw new ProtocolError("its answer is too large");
    if (length === bytes.length) {
      const grown = new Uint8Array(2 * bytes.length);
      grown.set(bytes);
      bytes = grown;
    }
  }
}

/** Bytes that an answer gets at first. */
const firstReadBytes = 64 * KiB;
