/** What is heard on the local network: discovery packets, multicast DNS, and the services and listings of shares. */
import { decodeCompact, encodeCompact } from "../../../lib/endpoint.ts";
import { comparable, type DnsMessage, encodeDns } from "../../../lib/dns_message.ts";
import { decodeDns } from "../../../lib/dns_reader.ts";
import { decodeLocalAnnounce, encodeLocalAnnounce } from "../../../lib/local_discovery.ts";
import { concatBytes } from "../../../lib/bytes.ts";
import { formatShareListing, parseShareListing } from "../../../lib/share_listing.ts";
import { decodeShareText, encodeShareText, instanceName, serviceType } from "../../../lib/share_service.ts";
import { ShareBrowser } from "../../../peer/share_browser.ts";
import { ShareResponder } from "../../../peer/share_responder.ts";
import { bytesOf, type Draw, latin1Of, uint16, uint32 } from "../draw.ts";
import { holds, isEndpoint, isId, same, within } from "../holds.ts";
import { type FuzzTarget, readOrRefuse } from "../target.ts";

export const localDiscovery: FuzzTarget = {
  name: "local-discovery",
  corpus: [
    bytesOf(
      "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 51413\r\nInfohash: c9e15763f722f23e98a29decdfae341b98d53056\r\ncookie: 1a2b3c\r\n\r\n\r\n",
    ),
  ],
  generate(draw) {
    const line = () => draw.oneIn(5) ? draw.text() : `${draw.word()}: ${draw.word()}`;
    const lines = [
      `Host: 239.192.152.143:6771`,
      `${draw.pick(["Port", "port", "PORT"])}: ${draw.port()}`,
      ...draw.several(() => `Infohash: ${draw.hex(draw.oneIn(9) ? draw.below(50) : 40)}`, 4),
      `cookie: ${draw.oneIn(9) ? draw.word().repeat(60) : draw.hex(8)}`,
      ...draw.several(line, 2),
    ];
    return bytesOf(
      latin1Of(["BT-SEARCH * HTTP/1.1", ...draw.mangled(lines), "\r\n\r\n"].join(draw.oneIn(20) ? "\n" : "\r\n")),
    );
  },
  run(input) {
    const read = readOrRefuse(() => decodeLocalAnnounce(input));
    if (read === undefined) return "refused";
    within(read.port, 1, 65_534, "the port");
    holds(read.infoHashes.length > 0 && read.infoHashes.length <= 30, "a packet names so many torrents");
    holds(new Set(read.infoHashes).size === read.infoHashes.length, "a packet names a torrent twice");
    for (const infoHash of read.infoHashes) isId(infoHash, "an info hash");
    const [infoHash] = read.infoHashes;
    const again = decodeLocalAnnounce(encodeLocalAnnounce({ family: 4, port: read.port, infoHash, cookie: "x" }));
    same([again.port, again.infoHashes], [read.port, [infoHash]], "a packet that was written again");
    return "taken";
  },
};

const types = { PTR: 12, SRV: 33, TXT: 16, A: 1, AAAA: 28, NSEC: 47, OPT: 41, ANY: 255 } as const;

/** Labels, or a pointer to somewhere. */
function nameText(draw: Draw): string {
  if (draw.oneIn(6)) return uint16(0xc000 | draw.pick([0, 12, 13, 20, 40, draw.below(0x4000)]));
  const service = serviceType.split(".");
  const labels = draw.oneIn(3)
    ? draw.several(() => draw.utf8().slice(0, 63), 4)
    : [draw.utf8().slice(0, 63), ...service];
  const written = (draw.oneIn(3) ? service : labels).map((label) => String.fromCharCode(label.length) + label).join("");
  return written + (draw.oneIn(8) ? uint16(0xc00c) : "\0");
}

function recordText(draw: Draw): string {
  const type = draw.oneIn(12) ? draw.count() & 0xffff : draw.pick(Object.values(types));
  const entries = () =>
    shareEntries(draw).map((entry) => String.fromCharCode(entry.length & 255) + entry.slice(0, 255)).join("");
  const data = type === types.PTR
    ? nameText(draw)
    : type === types.SRV
    ? uint16(0) + uint16(0) + uint16(draw.below(65_536)) + nameText(draw)
    : type === types.TXT
    ? entries()
    : draw.bytes(type === types.A ? 4 : type === types.AAAA ? 16 : draw.below(20));
  const length = draw.oneIn(20) ? draw.count() : data.length;
  return nameText(draw) + uint16(type) + uint16(draw.pick([1, 0x8001, 3])) + uint32(draw.pick([0, 120, 2 ** 32 - 1])) +
    uint16(length & 0xffff) + data;
}

function dnsText(draw: Draw): string {
  const sections = [
    draw.several(() => nameText(draw) + uint16(draw.pick(Object.values(types))) + uint16(1), 2),
    ...[4, 2, 3].map((most) => draw.several(() => recordText(draw), most)),
  ];
  const counts = sections.map(({ length }) => uint16(draw.oneIn(20) ? draw.count() & 0xffff : length));
  return draw.bytes(2) + uint16(draw.pick([0, 0x8400, draw.below(65_536)])) + counts.join("") +
    sections.flat().join("");
}

export const dns: FuzzTarget = {
  name: "dns",
  generate: (draw) => bytesOf(dnsText(draw)),
  run(input) {
    const read = readOrRefuse(() => decodeDns(input));
    if (read === undefined) return "refused";
    const records = [...read.answers, ...read.authorities, ...read.additionals];
    holds(read.questions.length + records.length <= input.length / 5, "a message has more records than it can hold");
    for (const record of records) {
      holds(record.name === comparable(record.name), "a name cannot be compared");
      if (record.type === "SRV") within(record.port, 0, 65_535, "a port");
      if (record.type === "A" || record.type === "AAAA") isEndpoint({ host: record.host, port: 1 }, "an address");
      within(record.ttl, 0, 2 ** 32 - 1, "a time to live");
    }
    if (isWritable(read)) same(decodeDns(encodeDns(read)), read, "a message that was written again");
    hearInTurn(read);
    return "taken";
  },
};

/** Whether dns-packet writes the same again: names of labels that are text without a dot or a line end. */
function isWritable({ questions, answers, authorities, additionals }: DnsMessage): boolean {
  const records = [...answers, ...authorities, ...additionals];
  const names = [...questions, ...records].map(({ name }) => name);
  for (const record of records) {
    if (record.type === "AAAA" && !record.host.includes(":")) return false;
    if (record.type === "PTR" || record.type === "SRV") names.push(record.target);
  }
  return names.every((name) =>
    !/[\s\p{Cc}\ufffd]/u.test(name) &&
    name.split(".").every((label) => label !== "" && latin1Of(label).length < 64)
  );
}

const browsed = new ShareBrowser();
let heardAt = 0;

/** A browser and a responder hear it: neither may throw, or keep more than its bound. */
function hearInTurn(message: DnsMessage): void {
  heardAt += 100;
  browsed.hear(message, heardAt);
  const shares = browsed.shares(heardAt);
  holds(shares.length <= 256, "a browser keeps too many shares");
  for (const { name, sources } of shares) {
    holds(name !== "" && sources.length > 0, "a share has a name and somebody who has it");
    for (const { hosts, port } of sources) for (const host of hosts) isEndpoint({ host, port }, "who has a share");
  }
  const share = {
    name: "x",
    hostName: "laptop",
    infoHash: undefined,
    totalLength: 1,
    fileCount: 1,
    peerPort: 1,
    index: 0,
  };
  const responder = new ShareResponder({ shares: [share], port: 80, hostId: "abc", now: 0, random: () => 0.5 });
  for (let now = 0; now < 3000; now += 500) responder.tick(now).forEach((make) => encodeDns(make(["10.0.0.1"])));
  responder.hear(message, 5000);
  responder.tick(5200).forEach((make) => encodeDns(make(["10.0.0.1", "fe80::1"])));
  const answer = responder.answerAlone(message, { port: 5000 }, 5300);
  if (answer !== undefined) encodeDns(answer(["10.0.0.1"]));
}

function shareEntries(draw: Draw): string[] {
  const pin = draw.oneIn(3);
  return draw.mangled([
    `v=${draw.oneIn(20) ? draw.digits() : 1}`,
    `${draw.oneIn(9) ? "N" : "n"}=${draw.utf8()}`,
    `h=${draw.utf8()}`,
    pin ? "pin=1" : `ih=${draw.hex(draw.oneIn(20) ? 39 : 40)}`,
    `s=${draw.digits()}`,
    `f=${draw.digits()}`,
    `p=${draw.port()}`,
    `i=${draw.oneIn(9) ? draw.digits() : draw.below(64)}`,
    ...draw.several(() => draw.utf8(), 2),
  ]);
}

export const shareService: FuzzTarget = {
  name: "share-service",
  /** Entries as in a record: each with its length in front. */
  generate: (draw) =>
    bytesOf(shareEntries(draw).map((entry) => String.fromCharCode(entry.length & 255) + entry).join("")),
  run(input) {
    const entries: Uint8Array[] = [];
    for (let at = 0; at < input.length; at += 1 + input[at]) entries.push(input.subarray(at + 1, at + 1 + input[at]));
    const read = readOrRefuse(() => decodeShareText(entries));
    if (read === undefined) return "refused";
    const { name, infoHash, totalLength, fileCount, peerPort, index } = read;
    holds(name !== "", "a share without a name");
    if (infoHash !== undefined) isId(infoHash, "the info hash");
    within(totalLength, 0, Number.MAX_SAFE_INTEGER, "the length");
    within(fileCount, 0, Number.MAX_SAFE_INTEGER, "the number of files");
    within(peerPort, 1, 65_535, "the port");
    within(index, 0, 63, "the place");
    for (const number of [1, 12]) {
      const label = instanceName(read, number).slice(0, -serviceType.length - 1);
      within(new TextEncoder().encode(label).length, 1, 63, "the bytes of a label");
      holds(!/[.\p{Cc}\\]/u.test(label), `a label is ${JSON.stringify(label)}`);
    }
    const again = decodeShareText(encodeShareText(read));
    same({ ...again, name: "", hostName: "" }, { ...read, name: "", hostName: "" }, "a share that was told again");
    return "taken";
  },
};

export const shareListing: FuzzTarget = {
  name: "share-listing",
  generate(draw) {
    const number = () =>
      draw.oneIn(8) ? draw.pick(["-1", "1e400", "1.5", "9007199254740993", '"1"', "null"]) : String(draw.count());
    const share = () => {
      const infoHash = draw.oneIn(4) ? `"pin":${draw.pick(["true", "1", "false"])}` : `"infoHash":"${draw.hex(40)}"`;
      const members = [
        `"name":${draw.oneIn(9) ? '"\\ud800"' : JSON.stringify(draw.text())}`,
        `"totalLength":${number()}`,
        `"fileCount":${number()}`,
        infoHash,
        '"__proto__":{"pin":true}',
      ];
      return `{${draw.mangled(members).join()}}`;
    };
    const members = [
      `"localbt":${draw.oneIn(20) ? number() : 1}`,
      `"host":${JSON.stringify(draw.text())}`,
      `"peerPort":${draw.oneIn(9) ? number() : draw.port()}`,
      `"shares":[${draw.several(share, 5).join()}]`,
    ];
    const depth = draw.oneIn(100) ? 100_000 : 0;
    return bytesOf(latin1Of("[".repeat(depth) + `{${draw.mangled(members).join()}}`));
  },
  run(input) {
    const read = readOrRefuse(() => parseShareListing(new TextDecoder().decode(input)));
    if (read === undefined) return "refused";
    const { host, peerPort, shares } = read;
    within(peerPort, 1, 65_535, "the port");
    holds(host.length <= 240 && shares.length <= 64, "a listing is too long");
    shares.forEach((share, place) => {
      holds(share.index === place && share.name !== "" && share.name.length <= 240, "a share is not as it was listed");
      within(share.totalLength, 0, Number.MAX_SAFE_INTEGER, "the length");
      within(share.fileCount, 0, Number.MAX_SAFE_INTEGER, "the number of files");
      if (share.infoHash !== undefined) isId(share.infoHash, "the info hash");
    });
    const again = parseShareListing(formatShareListing(read));
    same(
      again.shares.map(({ name: _, ...rest }) => rest),
      shares.map(({ name: _, ...rest }) => rest),
      "a listing told again",
    );
    return "taken";
  },
};

export const compactEndpoints: FuzzTarget = {
  name: "compact-endpoints",
  generate: (draw) => bytesOf(draw.several(() => draw.compact(draw.pick([6, 6, 18])), 12).join("")),
  run(input) {
    const read = ([4, 6] as const).map((family) => readOrRefuse(() => decodeCompact(input, family)));
    for (const [i, endpoints] of read.entries()) {
      if (endpoints === undefined) continue;
      holds(endpoints.length <= input.length / (i === 0 ? 6 : 18), "more endpoints than bytes");
      for (const endpoint of endpoints.slice(0, 200)) {
        isEndpoint(endpoint, "an endpoint");
        const bytes = encodeCompact(endpoint);
        same(decodeCompact(bytes, bytes.length === 6 ? 4 : 6), [endpoint], "an endpoint that was written again");
      }
      if (i === 0 && endpoints.length < 200 && endpoints.length * 6 === input.length) {
        same(concatBytes(endpoints.map(encodeCompact)), input, "all of them");
      }
    }
    return read.some((endpoints) => endpoints !== undefined) ? "taken" : "refused";
  },
};
