/**
 * The honest clients of a tracker, as a process of their own: thirty peers that announce in turn, over HTTP and UDP.
 *
 * They want a fixed number of announces a second, a small part of what the tracker can answer, and say on stdout how many
 * answers came and when. At SIGINT they look whether each of them is listed and told, and go.
 */
import { decodeAnnounceReply } from "../../lib/announce/http_reply.ts";
import { UdpAnnouncer } from "./udp_announcer.ts";

/** Peers; their ports are `firstPort` and up. */
const peerCount = 30;
const firstPort = 20_001;
/** Milliseconds between two announces of one peer. */
const paceMs = 100;
/** Milliseconds for one announce: what comes later is of no use to anybody. */
const announceMs = 5_000;
/** Announces that are made at the end, at most, to be told of every honest peer. */
const finalAnnouncesMax = 100;

const [host = "", portText = "", infoHash = "", ...pages] = Deno.args;
const port = Number(portText);
const urlHost = host.includes(":") ? `[${host}]` : host;
const hashInUrl = infoHash.replace(/../g, "%$&");

function urlOf(index: number, numWant = 50): string {
  const peerId = `-HN0001-${String(index).padStart(12, "0")}`;
  return `http://${urlHost}:${port}/announce?info_hash=${hashInUrl}&peer_id=${peerId}&port=${firstPort + index}` +
    `&uploaded=0&downloaded=0&left=1&compact=1&numwant=${numWant}`;
}

async function announceByHttp(index: number, numWant?: number): Promise<number[]> {
  // every other one on a connection of its own
  const headers: Record<string, string> = index % 2 === 0 ? {} : { connection: "close" };
  const response = await fetch(urlOf(index, numWant), { headers, signal: AbortSignal.timeout(announceMs) });
  const { peers } = decodeAnnounceReply(await response.bytes());
  return peers.map((peer) => peer.port);
}

async function fetchPage(path: string): Promise<void> {
  const response = await fetch(`http://${urlHost}:${port}${path}`, { signal: AbortSignal.timeout(announceMs) });
  await response.bytes();
  if (response.status !== 200) throw new Error(`${path}: ${response.status}`);
}

let got = 0;
let isEnding = false;

/** One peer: each third speaks UDP, and where there are pages each third looks at them once it is listed. */
async function live(index: number): Promise<void> {
  using udp = new UdpAnnouncer({ host, port, infoHash, peerPort: firstPort + index });
  let isListed = false;
  for (
    let due = performance.now() + paceMs * index / peerCount;
    !isEnding;
    due = Math.max(due + paceMs, performance.now())
  ) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    try {
      if (index % 3 === 0) await udp.announce(announceMs);
      else if (index % 3 === 1 && pages.length > 0 && isListed) await fetchPage(pages[index % pages.length]);
      else await announceByHttp(index);
      isListed = true;
      got++;
    } catch { /* what did not come is not counted */ }
  }
}

/** Ports of honest peers that a newcomer is told of. */
async function found(): Promise<Set<number>> {
  const all = new Set<number>();
  for (let i = 0; i < finalAnnouncesMax && all.size < peerCount; i++) {
    const told = await announceByHttp(peerCount, 200).catch(() => []);
    for (const peer of told) if (peer >= firstPort && peer < firstPort + peerCount) all.add(peer);
  }
  return all;
}

const living = Array.from({ length: peerCount }, (_, index) => live(index));
const teller = setInterval(() => {
  console.log(`got ${Date.now()} ${got}`);
  got = 0;
}, 100);
await new Promise<void>((resolve) => Deno.addSignalListener("SIGINT", resolve));
isEnding = true;
await Promise.all(living);
clearInterval(teller);
console.log(`found ${(await found()).size} of ${peerCount}`);
Deno.exit(0);
