/** Attacks on the HTTP port of a tracker and of a share. */
import { Buffer } from "node:buffer";
import type { Attack, Target } from "./attack.ts";
import { crowd, ended, flood, manyOf } from "./crowd.ts";

const never = new Promise<never>(() => {});

/** What one connection of a crowd does, given how many of them there are. */
function crowdAttack(
  name: string,
  { stage = "tracker", count, refused }: { stage?: string; count: number; refused?: readonly string[] },
  act: (socket: Parameters<Parameters<typeof crowd>[2]>[0], target: Target, index: number) => Promise<void>,
): Attack {
  return {
    name,
    stage,
    ...(refused && { refused }),
    async run(target, isReady) {
      await crowd(target, { count }, (socket, index) => act(socket, target, index));
      isReady();
      await never;
    },
  };
}

/** Writes a text one byte a second. */
async function drip(socket: Parameters<typeof ended>[0], text: string): Promise<void> {
  socket.resume();
  for (let at = 0; at < text.length && !socket.destroyed; at++) {
    socket.write(text[at]);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

function randomHash(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(20))).toString("hex");
}

/** The request line and host of an announce of somebody made up. */
function announceOf(infoHash: string, port = 1 + Math.floor(Math.random() * 65_535)): string {
  const peerId = `-XX0001-${Math.random().toString(36).slice(2, 14).padEnd(12, "x")}`;
  return `GET /announce?info_hash=${infoHash.replace(/../g, "%$&")}&peer_id=${peerId}&port=${port}&uploaded=0` +
    "&downloaded=0&left=0&compact=1&numwant=200 HTTP/1.1\r\nHost: tracker\r\n\r\n";
}

function get(path: string, { host }: Target): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
}

/** Asks again and again, a few requests at a time, and reads the answers; yields to others between two bursts. */
async function storm(socket: Parameters<typeof ended>[0], burst: () => string): Promise<void> {
  socket.resume();
  while (!socket.destroyed) {
    const answered = new Promise((resolve) => {
      socket.once("data", resolve);
      socket.once("close", resolve);
    });
    socket.write(burst());
    await answered;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** As many announces as no socket has room for the answers to; made once. */
let pipeline: Buffer | undefined;

/** Requests that two readers may take for different ones. */
const smuggled = [
  "GET /announce HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /stats HTTP/1.1\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
  "GET / HTTP/1.1\r\nHost: a\r\n X: folded\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\ncontent-length: +0\r\n\r\n",
];

export const requestAttacks: readonly Attack[] = [
  crowdAttack(
    "1000 half-open connections",
    { count: 1_000, refused: ["http.madeRoom", "http.slowRequest"] },
    (socket) => ended(socket),
  ),
  crowdAttack("connect and close", { count: 50 }, () => Promise.resolve()),
  crowdAttack(
    "heads at a byte a second",
    { count: 1_000, refused: ["http.madeRoom", "http.slowRequest"] },
    (socket, target) => drip(socket, get("/announce?info_hash=slow", target)),
  ),
  crowdAttack("bodies at a byte a second", { count: 500, refused: ["http.hasBody"] }, async (socket) => {
    socket.write("GET /announce HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    await drip(socket, "x".repeat(1000));
  }),
  crowdAttack("endless heads", { count: 50, refused: ["http.tooLong"] }, async (socket, _target, index) => {
    socket.resume();
    if (index % 2 === 0) socket.write("GET / HTTP/1.1\r\nX: ");
    await flood(socket, Buffer.alloc(65_536, index % 3 === 0 ? "a: b\r\n" : "x"));
  }),
  crowdAttack(
    "pipelined announces, nothing read",
    { count: 300, refused: ["http.tooFast"] },
    async (socket, { infoHash }) => {
      pipeline ??= manyOf(Buffer.from(announceOf(String(infoHash))), 12_000);
      socket.write(pipeline);
      await ended(socket, { isRead: false });
    },
  ),
  crowdAttack(
    "announces of made-up peers",
    { count: 20 },
    (socket) => storm(socket, () => Array.from({ length: 20 }, () => announceOf(randomHash())).join("")),
  ),
  crowdAttack("scrape storm", { count: 20, refused: ["announces.malformed"] }, (socket, target) =>
    storm(socket, () => {
      const all = Array.from({ length: 74 }, () => `info_hash=${randomHash().replace(/../g, "%$&")}`).join("&");
      return get(`/scrape?${all}`, target) + get("/scrape", target) + get("/scrape?info_hash=x", target);
    })),
  crowdAttack(
    "storm of pages",
    { count: 20, refused: ["pages.notFound"] },
    (socket, target) =>
      storm(socket, () => ["/stats", "/", "/health", "/../../etc/passwd"].map((path) => get(path, target)).join("")),
  ),
  crowdAttack("smuggled requests", { count: 20, refused: ["http.hasBody"] }, async (socket, _target, index) => {
    socket.write(smuggled[index % smuggled.length]);
    await ended(socket);
  }),
  crowdAttack(
    "the program, never read",
    { stage: "share", count: 300, refused: ["pages.busy", "http.unreadReply", "pages.notFound"] },
    async (socket, target) => {
      socket.pause();
      socket.write(get("/localbt", target));
      await ended(socket, { isRead: false });
    },
  ),
  crowdAttack(
    "storm of pages",
    { stage: "share", count: 20, refused: ["pages.notFound"] },
    (socket, target) =>
      storm(socket, () => {
        const paths = ["/", "/shares.json", `/${target.infoHash}.torrent`, "/localbt.sha256", "/..%2f..%2fetc/passwd"];
        return paths.map((path) => get(path, target)).join("");
      }),
  ),
  crowdAttack(
    "other names of this machine",
    { stage: "share", count: 20, refused: ["pages.denied"] },
    (socket) => storm(socket, () => "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
  ),
];
