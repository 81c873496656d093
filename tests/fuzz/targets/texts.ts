/** Texts from outside: magnet links, endpoints, URLs, hosts of requests, what stands behind `get`, names to be printed. */
import { clipText, safeText, widthOfText } from "../../../lib/cli/text.ts";
import {
  canonicalHost,
  decodeAddress,
  encodeAddress,
  formatEndpoint,
  isIpv6,
  isLoopback,
  parseEndpoint,
  parseHostPort,
} from "../../../lib/endpoint.ts";
import { parseHex } from "../../../lib/bytes.ts";
import { parseInfoHash } from "../../../lib/ids.ts";
import { isLinkLocal6 } from "../../../lib/local_addresses.ts";
import { formatMagnet, parseMagnet } from "../../../lib/magnet.ts";
import { parseTrackerUrl, parseWebSeedUrl } from "../../../lib/remote_url.ts";
import { parseShareTarget } from "../../../lib/share_target.ts";
import { isLocalName, originOf, readSiteHost } from "../../../lib/site_host.ts";
import { bytesOf, type Draw, latin1Of } from "../draw.ts";
import { holds, isEndpoint, isId, isSafeName, same, within } from "../holds.ts";
import { type FuzzTarget, readOrRefuse } from "../target.ts";
import { textOfUnits } from "./torrent_files.ts";

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const encoded = (text: string) => bytesOf(latin1Of(text));

function percentEncoded(draw: Draw, text: string): string {
  if (draw.oneIn(3)) return text;
  const every = draw.oneIn(4);
  return latin1Of(text).replace(/[^]/g, (character) => {
    if (!every && /[\w.~-]/.test(character)) return character;
    return `%${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

export const magnet: FuzzTarget = {
  name: "magnet",
  corpus: [
    "magnet:?xt=urn:btih:c9e15763f722f23e98a29decdfae341b98d53056&dn=Sintel&tr=udp%3A%2F%2Ftracker.test%3A6969",
    "magnet:?xt=urn:btih:ZHQVOY7XELZD5GFCTXWN7LRUDOMNKMCW&tr.1=http://a.test/announce&so=0,2,4-6&x.pe=[::1]:6881",
    "magnet:?xt=urn:btmh:1220caf1e1c30e81cb361b9ee167c4aa64228a7fa4fa9f6105232b28ad099f3a302e&xl=5",
  ].map(encoded),
  generate(draw) {
    const base32 = () => Array.from({ length: 32 }, () => "abcdefghijklmnopqrstuvwxyz234567"[draw.below(32)]).join("");
    const topic = () => `urn:btih:${draw.oneIn(4) ? base32() : draw.hex(draw.oneIn(9) ? draw.below(50) : 40)}`;
    const range = () => draw.oneIn(4) ? `${draw.digits()}-${draw.digits()}` : `${draw.below(30)}-${draw.below(90)}`;
    const parameters = [
      `xt=${draw.oneIn(9) ? draw.text() : topic()}`,
      ...draw.several(() => `dn=${percentEncoded(draw, draw.text())}`, 2),
      ...draw.several(() => `tr${draw.oneIn(4) ? `.${draw.digits()}` : ""}=${percentEncoded(draw, draw.url())}`, 4),
      ...draw.several(() => `ws=${percentEncoded(draw, draw.url())}`, 3),
      ...draw.several(() => `x.pe=${percentEncoded(draw, `${draw.host()}:${draw.port()}`)}`, 4),
      ...draw.several(() => `xl=${draw.digits()}`, 2),
      ...(draw.oneIn(4)
        ? [`so=${draw.several(() => draw.oneIn(3) ? range() : String(draw.below(40)), 5).join(",")}`]
        : []),
    ];
    const joined = draw.mangled(parameters).join(draw.oneIn(20) ? "&amp;" : "&");
    return encoded(`${draw.oneIn(30) ? draw.text() : draw.oneIn(20) ? "MAGNET:?" : "magnet:?"}${joined}`);
  },
  run(input) {
    const read = readOrRefuse(() => parseMagnet(utf8.decode(input)));
    if (read === undefined) return "refused";
    isId(read.infoHash, "the info hash");
    if (read.name !== undefined) isSafeName(read.name);
    holds(read.trackers.length <= 200 && read.webSeeds.length <= 200, "a magnet link has too many URLs");
    holds(read.peers.length <= 100, "a magnet link has too many peers");
    for (const { port } of read.peers) within(port, 1, 65_535, "the port of a peer");
    if (read.length !== undefined) within(read.length, 0, Number.MAX_SAFE_INTEGER, "the length");
    const { selectOnly = [] } = read;
    selectOnly.forEach((index, i) => within(index, i === 0 ? 0 : selectOnly[i - 1] + 1, 999_999, "a chosen file"));
    same(parseMagnet(formatMagnet(read)), read, "a magnet link that was written again");
    return "taken";
  },
};

export const endpointText: FuzzTarget = {
  name: "endpoint-text",
  generate: (draw) =>
    encoded(
      draw.oneIn(12)
        ? `${draw.pick(["[", "", "[a"])}${draw.pick([":", "a", "1:"]).repeat(draw.below(20_000))}`
        : `${draw.host()}:${draw.port()}`,
    ),
  run(input) {
    const text = utf8.decode(input);
    const endpoint = parseEndpoint(text);
    const named = parseHostPort(text);
    if (endpoint !== undefined) {
      isEndpoint(endpoint, "an endpoint");
      same(named, endpoint, "an endpoint by the two readers");
      same(parseEndpoint(formatEndpoint(endpoint)), endpoint, "an endpoint that was written again");
      checkAddress(endpoint.host);
    }
    const host = canonicalHost(text);
    if (host !== undefined) checkAddress(host);
    if (named === undefined) return "refused";
    within(named.port, 1, 65_535, "the port of a host");
    holds(named.host.length <= 253 && !/[\s\p{Cc}/?#@\\]/u.test(named.host), `a host is ${JSON.stringify(named.host)}`);
    same(parseHostPort(formatEndpoint(named)), named, "a host that was written again");
    return "taken";
  },
};

function checkAddress(host: string): void {
  const bytes = encodeAddress(host);
  holds(bytes.length === (isIpv6(host) ? 16 : 4), "an address has the bytes of its family");
  holds(decodeAddress(bytes) === host, `an address is another once it was written: ${host}`);
  holds(canonicalHost(host) === host, `a canonical address is not canonical: ${host}`);
  const isLinkLocal = bytes.length === 16 && bytes[0] === 0xfe && (bytes[1] & 0xc0) === 0x80;
  holds(isLinkLocal6(host) === isLinkLocal, `link-local: ${host}`);
  holds(isLoopback(host) === (host === "::1" || bytes.length === 4 && bytes[0] === 127), `loopback: ${host}`);
}

export const remoteUrl: FuzzTarget = {
  name: "remote-url",
  generate: (draw) => encoded(draw.oneIn(30) ? draw.url().padEnd(draw.below(4000), "a") : draw.url()),
  run(input) {
    const text = utf8.decode(input);
    const tracker = parseTrackerUrl(text);
    const webSeed = parseWebSeedUrl(text);
    for (const url of [tracker, webSeed]) {
      if (url === undefined) continue;
      holds(url.length <= 2048 && !/[\s\p{Cc}]/u.test(url), "a URL has characters that split requests, or too many");
      const { hostname, protocol } = new URL(url);
      holds(/^(https?|udp):$/.test(protocol) && hostname !== "", `a URL is ${url}`);
    }
    if (webSeed !== undefined) same(tracker, webSeed, "what a web seed may have a tracker may have");
    if (tracker !== undefined) holds(parseTrackerUrl(tracker) === tracker, "a URL is taken as it was kept");
    return tracker === undefined ? "refused" : "taken";
  },
};

export const siteHost: FuzzTarget = {
  name: "site-host",
  generate(draw) {
    const name = draw.oneIn(3)
      ? draw.pick(["laptop", "LAPTOP.local", "localhost", "evil.test", "a.home.arpa."])
      : draw.host();
    if (draw.oneIn(20)) {
      return encoded(`${draw.pick(["[", "", "[a"])}${draw.pick([":", "a", "1:"]).repeat(draw.below(8000))}`);
    }
    return encoded(draw.oneIn(3) ? name : `${name}:${draw.port()}`);
  },
  run(input) {
    const header = String.fromCharCode(...input.subarray(0, 16_384));
    const visited = readSiteHost(header, { hostName: "Laptop.example" });
    if (visited === undefined) return "refused";
    const { host, port } = visited;
    within(port, 1, 65_535, "a visitor's port");
    const isOwn = ["localhost", "laptop", "laptop.example"].includes(host);
    holds(canonicalHost(host) !== undefined || isOwn || isLocalName(host), `a stranger's name is let in: ${host}`);
    holds(!/[\s"'<>\p{Cc}]/u.test(originOf(visited)), "an origin could break out of a page or a header");
    return "taken";
  },
};

export const shareTarget: FuzzTarget = {
  name: "share-target",
  generate: (draw) =>
    encoded(
      draw.pick([draw.text(), draw.host(), `${draw.host()}:${draw.port()}`, draw.url(), `magnet:?${draw.text()}`]),
    ),
  run(input) {
    const target = parseShareTarget(utf8.decode(input));
    if (target === undefined) return "refused";
    if (target.kind === "site") {
      if (target.port !== undefined) within(target.port, 0, 65_535, "the port of a site");
      holds(target.host !== "" && !/[\s\p{Cc}/]/u.test(target.host), `a site's host is ${JSON.stringify(target.host)}`);
      holds(target.path.startsWith("/") && !/[\s\p{Cc}]/u.test(target.path), "a path could split a request");
    }
    if (target.kind === "name") holds(target.name.trim() !== "", "a name is empty");
    return "taken";
  },
};

export const printedText: FuzzTarget = {
  name: "printed-text",
  generate: (draw) => {
    const text = draw.several(() => draw.text(), 4).join("");
    return bytesOf(
      [...text].flatMap((c) => c.split("")).map((unit) => unit.charCodeAt(0)).map((code) =>
        String.fromCharCode(code >>> 8, code & 255)
      ).join(""),
    );
  },
  run(input) {
    const text = textOfUnits(input);
    const safe = safeText(text);
    holds(!/[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069\u2028\u2029]/u.test(safe), "a text can steer the terminal");
    holds(safeText(safe) === safe, "a safe text is not safe as it is");
    for (const columns of [0, 1, 20]) {
      const clipped = clipText(safe, columns);
      holds(widthOfText(clipped) <= Math.max(columns, 0), `a text is wider than ${columns} columns`);
    }
    return safe === text ? "taken" : "refused";
  },
};

export const hexText: FuzzTarget = {
  name: "hex-text",
  generate: (draw) => encoded(draw.oneIn(2) ? draw.hex(40) : draw.oneIn(2) ? draw.hex(draw.below(60)) : draw.text()),
  run(input) {
    const text = utf8.decode(input);
    const bytes = parseHex(text);
    if (bytes !== undefined) holds(bytes.toHex() === text.toLowerCase(), "hex digits that were written again");
    const infoHash = parseInfoHash(text);
    if (infoHash === undefined) return "refused";
    isId(infoHash, "an info hash");
    holds(infoHash === text.toLowerCase(), "an info hash is another");
    return "taken";
  },
};
