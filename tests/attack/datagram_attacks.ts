/** Attacks by UDP: on a tracker, and on the groups of multicast that a share listens to. */
import { Buffer } from "node:buffer";
import type { Attack, Target } from "./attack.ts";
import { announcePacket, connectPacket, scrapePacket, UdpAnnouncer } from "./udp_announcer.ts";

const never = new Promise<never>(() => {});
/** Packets of one burst, and the milliseconds between two: 20,000 a second. */
const burst = 200;
const burstMs = 10;

/** Sends for ever, in bursts: an attacker of the same machine that took a whole core would be a fault of the test. */
async function bombard(target: Target, packetOf: (index: number) => Uint8Array, isReady: () => void): Promise<never> {
  const hostname = String(target.host);
  const socket = Deno.listenDatagram({ hostname: "0.0.0.0", port: 0, transport: "udp" });
  // answers are read, or the system would tell of each that finds no room
  (async () => {
    for await (const _ of socket);
  })().catch(() => {});
  isReady();
  for (let index = 0, due = performance.now();; due = Math.max(due + burstMs, performance.now())) {
    for (let i = 0; i < burst; i++, index++) {
      await socket.send(packetOf(index), { transport: "udp", hostname, port: target.port }).catch(() => 0);
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
  }
}

function randomHash(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(20))).toString("hex");
}

/** The address of the `index`th attacker in the network that is its own. */
function addressOf({ network }: Target, index: number): string {
  return `${network}.${(index >> 8) & 0xff}.${1 + (index & 0xff) % 254}`;
}

export const datagramAttacks: readonly Attack[] = [
  {
    name: "packets of nonsense",
    stage: "tracker",
    refused: ["udp.unproven"],
    run: (target, isReady) =>
      bombard(target, (index) => crypto.getRandomValues(new Uint8Array(index % 7 === 0 ? 9 : 98)), isReady),
  },
  {
    name: "announces of the unproven",
    stage: "tracker",
    refused: ["udp.unproven"],
    run: (target, isReady) =>
      bombard(target, (transaction) =>
        announcePacket({
          connectionId: crypto.getRandomValues(new Uint8Array(8)),
          infoHash: randomHash(),
          peerPort: 1 + transaction % 65_535,
          transaction,
        }), isReady),
  },
  {
    name: "asking for ids without end",
    stage: "tracker",
    run: (target, isReady) => bombard(target, (transaction) => connectPacket(transaction), isReady),
  },
  {
    name: "announces and scrapes that are cut off",
    stage: "tracker",
    refused: ["udp.malformed"],
    async run(target, isReady) {
      const own = { host: String(target.host), port: target.port, infoHash: randomHash(), peerPort: 1 };
      const connectionId = await new UdpAnnouncer(own).connect(5_000);
      const whole = announcePacket({ connectionId, infoHash: randomHash(), peerPort: 1, transaction: 1 });
      const scrape = scrapePacket(connectionId, [randomHash(), randomHash()]);
      await bombard(
        target,
        (index) => index % 2 === 0 ? whole.subarray(0, 16 + index % 82) : scrape.subarray(0, 16 + index % 20),
        isReady,
      );
    },
  },
  {
    name: "made-up peers from 64 addresses",
    stage: "tracker on a LAN",
    refused: [
      "announces.addressInSwarm",
      "announces.madeRoom",
      "announces.addressInTracker",
      "announces.tooManySwarms",
    ],
    async run(target, isReady) {
      const own = { host: String(target.host), port: target.port, infoHash: String(target.infoHash), peerPort: 1 };
      const members = Array.from({ length: 64 }, (_, index) => new UdpAnnouncer(own, addressOf(target, index)));
      const ids = await Promise.all(members.map((member) => member.connect(10_000)));
      isReady();
      for (let round = 0;; round++) {
        for (const [index, member] of members.entries()) {
          for (let i = 0; i < 16; i++) {
            const peerPort = 1 + (round * 16 + i) % 65_535;
            // one of three goes into the swarm of the honest, the rest makes swarms of its own
            const infoHash = (round + index) % 3 === 0 ? String(target.infoHash) : randomHash();
            member.send(announcePacket({ connectionId: ids[index], infoHash, peerPort, transaction: 0 }));
          }
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  },
  {
    name: "flood of multicast DNS",
    stage: "share on a LAN",
    run: (_target, isReady) => bombardGroup({ group: "224.0.0.251", port: 5353, packetOf: dnsQuestion }, isReady),
  },
  {
    name: "flood of local discovery",
    stage: "share on a LAN",
    run: ({ infoHash }, isReady) =>
      bombardGroup({
        group: "239.192.152.143",
        port: 6771,
        packetOf: (index) =>
          Buffer.from(
            "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\n" +
              `Port: ${1 + index % 65_534}\r\nInfohash: ${infoHash}\r\ncookie: ${index}\r\n\r\n\r\n`,
          ),
      }, isReady),
  },
];

/** Sends to a group, as {@linkcode bombard} does to one host. */
async function bombardGroup(
  { group, port, packetOf }: { group: string; port: number; packetOf: (index: number) => Uint8Array },
  isReady: () => void,
): Promise<never> {
  await bombard({ host: group, port }, packetOf, isReady);
  return await never;
}

/** Who shares? Asked in a way that wants an answer each time. */
function dnsQuestion(index: number): Buffer {
  const name = Buffer.concat(
    ["_localbt", "_tcp", "local"].map((part) => Buffer.concat([Buffer.from([part.length]), Buffer.from(part)])),
  );
  const head = Buffer.from([index >> 8 & 0xff, index & 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([head, name, Buffer.from([0, 0, 12, 0, 1])]);
}
