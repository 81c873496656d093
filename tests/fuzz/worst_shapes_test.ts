/** The largest inputs that the network may hand to each reader, in the shapes that cost the most: 50 ms and 64 MB too. */
import { assert } from "@std/assert";
import { fileURLToPath } from "node:url";
import { decodeScrapeQuery } from "../../lib/announce/http_query.ts";
import { decodeAnnounceReply, decodeScrapeReply } from "../../lib/announce/http_reply.ts";
import { decodeAnnounceReply as decodeUdpReply } from "../../lib/announce/udp_reply.ts";
import { Bitfield } from "../../lib/bitfield.ts";
import { decodeDns } from "../../lib/dns_reader.ts";
import { localDiscoveryBytesMax, multicastBytesMax } from "../../lib/limits/discovery.ts";
import { httpHeadBytesMax, httpLineBytesMax } from "../../lib/limits/http_server.ts";
import { listingBytesMax } from "../../lib/limits/shares.ts";
import { magnetCharsMax, pieceCountMax } from "../../lib/limits/torrent_file.ts";
import { datagramBytesMax, trackerReplyBytesMax } from "../../lib/limits/tracker.ts";
import { extensionBytesMax, messageBytesMax } from "../../lib/limits/wire.ts";
import { HttpHeadReader } from "../../lib/http_request.ts";
import { decodeLocalAnnounce } from "../../lib/local_discovery.ts";
import { parseMagnet } from "../../lib/magnet.ts";
import { parseShareListing } from "../../lib/share_listing.ts";
import { readSiteHost } from "../../lib/site_host.ts";
import { decodeExtensionHandshake } from "../../lib/wire/extended.ts";
import { FrameReader } from "../../lib/wire/frame.ts";
import { decodeMetadataMessage } from "../../lib/wire/ut_metadata.ts";
import { decodePexMessage } from "../../lib/wire/ut_pex.ts";
import { bytesOf, uint16, uint32 } from "./draw.ts";
import { bencodeShapes, filled } from "./shapes.ts";
import { tryInput } from "./rules.ts";
import { readOrRefuse } from "./target.ts";

const scrapeEntry = "20:############ab12d8:completei1e10:downloadedi2e10:incompletei3ee".replace(
  "############ab12",
  "#abcdefghijklmn",
);

/** A chain of pointers as long as can be, and questions that each follow it. */
function pointerChain(bytes: number): Uint8Array {
  const questionCount = Math.floor(bytes / 12);
  const links = Math.floor((bytes - 12 - 6 * questionCount) / 2);
  const questions = uint16(0xc000 | Math.min(0x3fff, 12 + 5 + 2 * links - 2)) + uint16(255) + uint16(1);
  let chain = `\0${uint16(255)}${uint16(1)}`;
  for (let i = 0; i < links; i++) chain += uint16(0xc000 | (i === 0 ? 12 : 12 + 5 + 2 * (i - 1)));
  // the chain stands where a question's name would be too long to be one: behind the first question
  return bytesOf(
    uint16(0) + uint16(0) + uint16(questionCount) + uint16(0).repeat(3) + chain + questions.repeat(questionCount),
  ).subarray(0, bytes);
}

const shapes: [reader: string, run: (input: Uint8Array) => unknown, inputs: [what: string, input: Uint8Array][]][] = [
  ["decodeAnnounceReply()", decodeAnnounceReply, [
    ...bencodeShapes(trackerReplyBytesMax, "e"),
    ["peers that are none", filled(trackerReplyBytesMax, "d5:peersl", "de", "ee")],
    ["peers", filled(trackerReplyBytesMax, "d5:peersl", "d2:ip8:10.0.0.14:porti6881ee", "ee")],
    ["one failure", filled(trackerReplyBytesMax, "d14:failure reason1048000:", "\x1b", "e")],
  ]],
  ["decodeScrapeReply()", decodeScrapeReply, [[
    "swarms",
    filled(trackerReplyBytesMax, "d5:filesd", scrapeEntry, "ee"),
  ]]],
  ["decodeUdpReply()", (input) => decodeUdpReply(input, 4), [
    ["peers", filled(datagramBytesMax - 4, uint32(1) + "\0".repeat(16), "abcdef")],
    ["zeros", filled(datagramBytesMax, uint32(3) + "abcd", "\0", "x")],
  ]],
  ["decodeExtensionHandshake()", decodeExtensionHandshake, [
    ...bencodeShapes(extensionBytesMax, "e"),
    ["extensions", filled(extensionBytesMax, "d1:md", "6:#i1e", "ee")],
  ]],
  ["decodePexMessage()", decodePexMessage, [["peers", filled(extensionBytesMax, "d5:added65400:", "abcdef", "e")]]],
  ["decodeMetadataMessage()", decodeMetadataMessage, bencodeShapes(extensionBytesMax, "8:msg_typei1e5:piecei0ee")],
  ["FrameReader", (input) => new FrameReader().push(input, () => {}), [
    ["keep-alives", filled(messageBytesMax, `\x13BitTorrent protocol${"\0".repeat(48)}`, "\0\0\0\0")],
  ]],
  ["Bitfield.decode()", (input) => Bitfield.decode(input, pieceCountMax), [[
    "ones",
    filled(pieceCountMax / 8, "", "\xff"),
  ]]],
  ["decodeDns()", decodeDns, [
    ["names that point at each other", pointerChain(multicastBytesMax)],
    ["labels", filled(multicastBytesMax, `\0\0\0\0\0\x01${"\0".repeat(6)}`, "\x01a")],
    [
      "questions of many labels",
      filled(
        multicastBytesMax,
        `\0\0\0\0\x05\x00${"\0".repeat(6)}${"\x01a".repeat(126)}\0\0\xff\0\x01`,
        "\xc0\x0c\0\xff\0\x01",
      ),
    ],
  ]],
  ["decodeLocalAnnounce()", decodeLocalAnnounce, [
    ["headers", filled(localDiscoveryBytesMax, "BT-SEARCH * HTTP/1.1\r\n", "a:\r\n", "\r\n")],
  ]],
  ["parseMagnet()", (input) => parseMagnet(new TextDecoder().decode(input)), [
    ["every file", bytesOf(`magnet:?xt=urn:btih:${"ab".repeat(20)}&so=0-999999`)],
    ["files one by one, from the last", filled(magnetCharsMax, `magnet:?xt=urn:btih:${"ab".repeat(20)}&so=1`, ",#")],
    ["colons", filled(magnetCharsMax, `magnet:?xt=urn:btih:${"ab".repeat(20)}&x.pe=[`, ":")],
    ["peers", filled(magnetCharsMax, `magnet:?xt=urn:btih:${"ab".repeat(20)}`, "&x.pe=a:1")],
    ["trackers", filled(magnetCharsMax, `magnet:?xt=urn:btih:${"ab".repeat(20)}`, "&tr=http:a")],
    ["percents", filled(magnetCharsMax, `magnet:?xt=urn:btih:${"ab".repeat(20)}&dn=`, "%ff")],
  ]],
  ["parseShareListing()", (input) => parseShareListing(new TextDecoder().decode(input)), [
    ["brackets", filled(listingBytesMax, "", "[")],
    ["shares", filled(listingBytesMax, '{"localbt":1,"peerPort":1,"shares":[0', ",0", "]}")],
  ]],
  ["decodeScrapeQuery()", decodeScrapeQuery, [
    ["pairs", filled(httpLineBytesMax, "", "&")],
    ["hashes", filled(httpLineBytesMax, "", "&info_hash=aaaaaaaaaaaaaaaaaaaa")],
  ]],
  ["readSiteHost()", (input) => readSiteHost(String.fromCharCode(...input), { hostName: "laptop" }), [
    ["colons", filled(httpHeadBytesMax, "[", ":")],
    ["letters", filled(httpHeadBytesMax, "", "a", ".local")],
  ]],
  ["HttpHeadReader", (input) => {
    const reader = new HttpHeadReader({
      lineBytesMax: httpLineBytesMax,
      headBytesMax: httpHeadBytesMax,
      headersMax: 64,
    });
    for (let end = 1; end <= input.length; end++) if (reader.read(input, 0, end) !== "more") return;
  }, [["a byte at a time", filled(httpHeadBytesMax, "GET / HTTP/1.1\r\n", "Connection: close, a\r\n")]]],
];

for (const [reader, run, inputs] of shapes) {
  Deno.test(`${reader} bears the largest inputs that the network hands it`, async () => {
    for (const [what, input] of inputs) {
      const target = {
        name: reader,
        generate: () => input,
        run: (bytes: Uint8Array) =>
          readOrRefuse(() => run(bytes) ?? true) === undefined ? "refused" as const : "taken" as const,
      };
      const result = await tryInput(target, input);
      assert(!("what" in result), `${what}, ${input.length} bytes: ${"what" in result ? result.what : ""}`);
      if (Deno.env.has("SHOW")) console.log(reader, what, input.length, result);
    }
  });
}

// Metadata, and so a torrent, is read only once its hash is right, or because somebody chose it: a time is not asked.
Deno.test("decodeBencode() and decodeInfo() bear any shape of the largest metadata with 48 MB of heap", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      "--quiet",
      "--v8-flags=--max-old-space-size=48",
      fileURLToPath(import.meta.resolve("./lean_heap.ts")),
    ],
    stdout: "null",
    stderr: "piped",
  }).output();
  assert(code === 0, new TextDecoder().decode(stderr).slice(0, 500));
});
