/** Files of ours that are read back at a start, after anything may have happened to them. */
import { Bitfield } from "../../../lib/bitfield.ts";
import { concatBytes } from "../../../lib/bytes.ts";
import { idBytes, type InfoHash, parseInfoHash } from "../../../lib/ids.ts";
import { encodeBencode } from "../../../lib/bencode.ts";
import { decodeInfo } from "../../../lib/metainfo.ts";
import { MetadataFile } from "../../../peer/io/metadata_file.ts";
import { PartFile } from "../../../peer/io/part_file.ts";
import { decodeResume, encodeResume, noFile, partFileName, type ResumeState } from "../../../peer/resume.ts";
import { createHash } from "node:crypto";
import { bytesOf, type Draw, uint32 } from "../draw.ts";
import { holds, same, within } from "../holds.ts";
import type { FuzzTarget } from "../target.ts";

const infoHash = parseInfoHash("ab".repeat(20))!;
const torrent = { infoHash, pieceCount: 21, fileCount: 3 };

function resumeState(draw: Draw): ResumeState {
  const have = Bitfield.empty(torrent.pieceCount);
  for (let piece = 0; piece < torrent.pieceCount; piece++) if (draw.oneIn(2)) have.set(piece);
  const file = () => ({
    ...(draw.oneIn(4)
      ? noFile
      : { length: draw.count(), mtimeMs: draw.count(), ctimeMs: draw.count(), inode: draw.count() }),
    vouches: draw.oneIn(2),
    createdByUs: draw.oneIn(2),
  });
  return { infoHash, have, files: Array.from({ length: torrent.fileCount }, file) };
}

/** A resume file whose checksum is right, whatever is in it: as somebody could make one who knows the format. */
function signed(state: Uint8Array): Uint8Array {
  return encodeBencode({ checksum: new Uint8Array(createHash("sha1").update(state).digest()), state });
}

export const resume: FuzzTarget = {
  name: "resume-file",
  generate(draw) {
    if (draw.oneIn(2)) return encodeResume(resumeState(draw));
    const pick = <T>(good: T, bad: T) => draw.oneIn(6) ? bad : good;
    return signed(encodeBencode({
      files: bytesOf(draw.bytes(pick(96, draw.below(120)))),
      format: pick("localbt resume 2", draw.text()),
      have: pick(Bitfield.full(21).encode(), bytesOf(draw.bytes(draw.below(5)))),
      "info hash": pick(idBytes(infoHash), bytesOf(draw.bytes(draw.below(24)))),
    }));
  },
  run(input) {
    const state = decodeResume(input, torrent);
    if (state === undefined) return "refused";
    holds(state.infoHash === infoHash && state.have.length === torrent.pieceCount, "a state is of another torrent");
    holds(state.files.length === torrent.fileCount, "a state has other files");
    for (const { length, mtimeMs, ctimeMs, inode } of state.files) {
      within(length, -1, Number.MAX_SAFE_INTEGER, "the length of a file");
      for (const value of [mtimeMs, ctimeMs, inode]) within(value, 0, Number.MAX_SAFE_INTEGER, "a number of a file");
    }
    same(decodeResume(encodeResume(state), torrent), state, "a state that was written again");
    return "taken";
  },
};

let directory = "";

async function makeDirectory(): Promise<void> {
  if (directory !== "") return;
  directory = await Deno.makeTempDir({ prefix: "localbt-fuzz-" });
  addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));
}

export const metadataFile: FuzzTarget = {
  name: "metadata-file",
  oneIn: 10,
  prepare: makeDirectory,
  generate: (draw) => bytesOf(draw.oneIn(2) ? "whole" : draw.someBytes()),
  async run(input) {
    const wanted = createHash("sha1").update("whole").digest("hex") as InfoHash;
    await Deno.writeFile(`${directory}/.${wanted}.localbt-metadata`, input);
    const read = await new MetadataFile({ directory, infoHash: wanted }).read();
    if (read === undefined) return "refused";
    same(read, input, "the bytes of the file");
    holds(new TextDecoder().decode(read) === "whole", "what does not have the hash is not there");
    return "taken";
  },
};

const partTorrent = decodeInfo(encodeBencode({
  files: [{ length: 5, path: ["a"] }, { length: 9, path: ["b"] }, { length: 7, path: ["c"] }],
  name: "parts",
  "piece length": 4,
  pieces: new Uint8Array(20 * 6),
}));

export const partFile: FuzzTarget = {
  name: "part-file",
  prepare: makeDirectory,
  generate(draw) {
    const id = idBytes(partTorrent.infoHash);
    const slot = () =>
      concatBytes([
        draw.oneIn(12) ? bytesOf(draw.bytes(20)) : id,
        bytesOf(uint32(draw.oneIn(8) ? draw.count() : draw.below(6)) + draw.bytes(4)),
      ]);
    return concatBytes(draw.several(slot, 6));
  },
  run(input) {
    Deno.writeFileSync(`${directory}/${partFileName(partTorrent)}`, input);
    const states = partTorrent.files.map(() => ({ ...noFile, isSettled: true, allocated: 0 }));
    const read = PartFile.toRead(partTorrent, { directory, states });
    holds(read !== undefined, "a part file is there");
    const { pieces } = read;
    holds(new Set(pieces).size === pieces.length, "a piece has two slots");
    holds(pieces.length <= Math.ceil(input.length / 28), "a slot has no bytes");
    for (const piece of pieces) within(piece, 0, partTorrent.pieceCount - 1, "a piece");
    return pieces.length > 0 ? "taken" : "refused";
  },
};
