/**
 * Names from a torrent -> relative paths that are safe on every system.
 *
 * The same torrent gives the same paths everywhere: what one system forbids is replaced on all of them, names that
 * differ only in case are told apart, a file never has the path of a folder. Nothing that comes out of here can leave the
 * download folder; that no link on the disk leads out is left to peer/io/storage.ts.
 */
import { ProtocolError } from "./errors.ts";
import { nameBytesMax, pathDepthMax } from "./limits/torrent_file.ts";

/** Where a file of a torrent lies below the download folder. */
export interface SafePath {
  /** Safe names, folders first, the file's own name last. */
  readonly path: readonly string[];
  /**
   * The path in its maker's own words, given only where it differs from `path` and is harmless on a POSIX system: data
   * that was made or fetched by others there may lie under it. Only for reading; means nothing on Windows.
   */
  readonly exactPath?: readonly string[];
}

/** Dropped: separators, and what is invisible or turns the direction of text, so that a name cannot pose as another. */
const droppedCharacters =
  /[/\\\u00AD\u061C\u180E\u200B-\u200F\u202A-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB\u{E0000}-\u{E007F}]/gu;
/** Replaced by `_`: control characters, line separators, bad UTF-8, lone surrogates, and what Windows forbids. */
const replacedCharacters = /[\p{Cc}\p{Cs}\u2028\u2029\uFFFD<>:"|?*]/gu;
/** Names of devices on Windows, whatever their extension. */
const reservedName = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(?:\.|$)/i;
/** UTF-16 code units of a name that are looked at: more than any name that is kept, and a bound on the work. */
const nameCharsMax = 8 * nameBytesMax;
/** UTF-8 bytes of an extension that is kept when a name is cut short. */
const extensionBytesMax = 32;
/** UTF-8 bytes that the longest number needs, with its space and brackets. */
const numberRoom = " (1000000)".length;
/** UTF-8 bytes that a name may have on POSIX file systems. */
const posixNameBytesMax = 255;

/** Names of which nothing has to be changed or refused: nearly all, and the look at each character takes 2 us. */
const plainName = /^[\w-]+(?:\.[\w-]+)*$/;

function isPlain(name: string): boolean {
  return name.length <= nameBytesMax && plainName.test(name);
}

/** A name that can be created on any system and stays where it is put; never empty. */
export function safePart(name: string): string {
  if (isPlain(name) && !reservedName.test(name)) return name;
  const part = trimDots(clip(name).replace(droppedCharacters, "").replace(replacedCharacters, "_"));
  if (part === "") return "_";
  return shorten(reservedName.test(part) ? `_${part}` : part);
}

/**
 * Whether a name may go into a torrent that we make: control characters make aria2 abort, and `.`, `..`, `/` and broken
 * Unicode mean nothing to others.
 */
export function isSafeToCreate(name: string): boolean {
  return isPlain(name) ||
    name !== "" && name !== "." && name !== ".." && !/[\p{Cc}\p{Cs}/\uFFFD]/u.test(name);
}

/**
 * The paths of all files of a torrent, in order, no two alike and none the path of a folder; linear in the input.
 *
 * Files whose names are safe as they are come first when two want the same path, so that a torrent's honest names do not
 * depend on its odd ones.
 *
 * @param names for each file its untrusted names, folders first; 1 to 101 of them
 * @throws ProtocolError when a path is empty or too deep
 */
export function mapFilePaths(names: readonly (readonly string[])[]): SafePath[] {
  const root = new Folder();
  const paths = new Array<SafePath>(names.length);
  const late: number[] = [];
  for (const [i, parts] of names.entries()) {
    if (parts.length === 0) throw new ProtocolError("a file in the torrent has no name");
    if (parts.length > pathDepthMax + 1) throw new ProtocolError(`a file in the torrent is over ${pathDepthMax} deep`);
    if (claimAsIs(root, parts)) paths[i] = { path: parts };
    else late.push(i);
  }
  for (const i of late) {
    const path = claimChanged(root, names[i]);
    paths[i] = names[i].every(isHarmlessOnPosix) ? { path, exactPath: names[i] } : { path };
  }
  return paths;
}

/** One folder of the download: which names are taken in it, and which of them are folders. */
class Folder {
  /** Names in use, folded. */
  readonly #taken = new Set<string>();
  /** Subfolders by the untrusted name that the torrent gives them. */
  readonly subfolders = new Map<string, { readonly name: string; readonly folder: Folder }>();
  /** For each stem and extension that had to be numbered, the next number to try. */
  readonly #nextNumbers = new Map<string, number>();

  /** Takes the name; false when it is taken already. */
  take(name: string): boolean {
    const folded = foldName(name);
    if (this.#taken.has(folded)) return false;
    this.#taken.add(folded);
    return true;
  }

  /** Takes the name, or the first free one of `name (2).ext`, `name (3).ext` … */
  takeAnother(name: string): string {
    if (this.take(name)) return name;
    const { stem, extension } = splitName(name, numberRoom);
    // Counted per stem as cut: long names that differ only beyond the cut must not each try all the numbers again.
    const key = `${foldName(stem)}/${foldName(extension)}`;
    for (let number = this.#nextNumbers.get(key) ?? 2;; number++) {
      const numbered = `${stem} (${number})${extension}`;
      if (!this.take(numbered)) continue;
      this.#nextNumbers.set(key, number + 1);
      return numbered;
    }
  }

  /** Makes a subfolder; its name has been taken. */
  addSubfolder(untrustedName: string, name: string): { readonly name: string; readonly folder: Folder } {
    const subfolder = { name, folder: new Folder() };
    this.subfolders.set(untrustedName, subfolder);
    return subfolder;
  }
}

/** Takes a path whose names are all safe and free as they are; false when it is not one. */
function claimAsIs(root: Folder, parts: readonly string[]): boolean {
  let folder = root;
  const last = parts.length - 1;
  for (let i = 0; i < last; i++) {
    const part = parts[i];
    let subfolder = folder.subfolders.get(part);
    if (subfolder === undefined) {
      if (safePart(part) !== part || !folder.take(part)) return false;
      subfolder = folder.addSubfolder(part, part);
    }
    folder = subfolder.folder;
  }
  const name = parts[last];
  return safePart(name) === name && folder.take(name);
}

/** Takes a path with its names made safe and told apart from those that are taken. */
function claimChanged(root: Folder, parts: readonly string[]): string[] {
  const path: string[] = [];
  let folder = root;
  for (const part of parts.slice(0, -1)) {
    const subfolder = folder.subfolders.get(part) ??
      folder.addSubfolder(part, folder.takeAnother(safePart(part)));
    path.push(subfolder.name);
    folder = subfolder.folder;
  }
  path.push(folder.takeAnother(safePart(parts[parts.length - 1])));
  return path;
}

/** Names that any file system takes for one another fold alike: by case (NTFS, APFS, FAT) or by composition (APFS). */
function foldName(name: string): string {
  if (/^[\x20-\x7e]*$/.test(name)) return name.toUpperCase();
  return name.normalize("NFC").toLowerCase().toUpperCase();
}

function isHarmlessOnPosix(name: string): boolean {
  return name.length <= posixNameBytesMax && utf8Length(name) <= posixNameBytesMax && isSafeToCreate(name);
}

/** A hostile name cut to a bounded length, with its end kept for the extension. */
function clip(name: string): string {
  if (name.length <= nameCharsMax) return name;
  return name.slice(0, nameCharsMax - extensionBytesMax) + name.slice(-extensionBytesMax);
}

/** Without dots and spaces at the end, which Windows drops without a word; in linear time, as no regex does it. */
function trimDots(name: string): string {
  let end = name.length;
  while (end > 0 && (name[end - 1] === "." || name[end - 1] === " ")) end--;
  return name.slice(0, end);
}

function shorten(name: string): string {
  if (3 * name.length <= nameBytesMax || utf8Length(name) <= nameBytesMax) return name;
  const { stem, extension } = splitName(name, 0);
  return stem + extension;
}

/** The extension, and before it as much of the name as leaves `room` bytes free. */
function splitName(name: string, room: number): { stem: string; extension: string } {
  const dot = name.lastIndexOf(".");
  const hasExtension = dot > 0 && utf8Length(name.slice(dot)) <= extensionBytesMax;
  const extension = hasExtension ? name.slice(dot) : "";
  const stem = cutToBytes(hasExtension ? name.slice(0, dot) : name, nameBytesMax - utf8Length(extension) - room);
  return { stem: extension === "" ? trimDots(stem) || "_" : stem, extension };
}

/** As many whole characters as fit in `bytesMax` bytes of UTF-8. */
function cutToBytes(text: string, bytesMax: number): string {
  // Counted here: Deno 2.7's encodeInto, once it is compiled, tells the bytes written as the characters read.
  let bytesLeft = bytesMax;
  let end = 0;
  for (const character of text) {
    const codePoint = character.codePointAt(0)!;
    bytesLeft -= codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
    if (bytesLeft < 0) break;
    end += character.length;
  }
  return text.slice(0, end);
}

function utf8Length(text: string): number {
  return textEncoder.encode(text).length;
}

const textEncoder = new TextEncoder();
