/**
 * One GET over the Network's own sockets: what `get` asks of a `share`. No redirects, no proxies, no more than was bargained
 * for; names and addresses with zones are left to the system, which knows both.
 */
import { bytesFromLatin1, concatBytes, latin1FromBytes } from "../bytes.ts";
import { formatEndpoint } from "../endpoint.ts";
import { ProtocolError } from "../errors.ts";
import { httpHeadBytesMax } from "../limits/http_server.ts";
import { shareTimeoutMs } from "../limits/shares.ts";
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
    const answer = readAnswer(await readAll(socket, httpHeadBytesMax + bytesMax));
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

/** All until the other side ends. */
async function readAll(socket: Socket, bytesMax: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const part = new Uint8Array(64 * 1024);
    const count = await socket.read(part);
    if (count === null) return concatBytes(parts);
    length += count;
    if (length > bytesMax) throw new ProtocolError("its answer is too large");
    parts.push(part.subarray(0, count));
  }
}

function readAnswer(bytes: Uint8Array): { status: number; body: Uint8Array } {
  const head = latin1FromBytes(bytes.subarray(0, httpHeadBytesMax));
  const end = head.indexOf("\r\n\r\n");
  const status = /^HTTP\/1\.[01] ([1-5][0-9]{2})[ \r]/.exec(head);
  if (end === -1 || status === null) throw new ProtocolError("it does not speak HTTP");
  const length = /\r\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*\r\n/i.exec(head.slice(0, end + 2));
  const body = bytes.subarray(end + 4);
  if (length !== null && Number(length[1]) > body.length) throw new ProtocolError("its answer is cut off");
  return { status: Number(status[1]), body: length === null ? body : body.subarray(0, Number(length[1])) };
}
