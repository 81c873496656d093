/**
 * What a share answers on its port beside the tracker: the page, the list for `get`, the torrents and the program itself.
 *
 * Read-only, and only for visitors who call this machine by a name that no stranger can own (lib/site_host.ts). Links and
 * trackers carry the address that the visitor used, since that one works for him.
 */
import { encodeTorrent } from "../../lib/torrent_builder.ts";
import { type Bytes, bytesFromLatin1 } from "../../lib/bytes.ts";
import { canonicalHost } from "../../lib/endpoint.ts";
import { readRange } from "../../lib/http_range.ts";
import type { HttpBody, HttpReply } from "../../lib/http_response.ts";
import type { InfoHash } from "../../lib/ids.ts";
import type { HttpEnds, HttpRequest } from "../../lib/io/http_server.ts";
import { formatMagnet } from "../../lib/magnet.ts";
import { formatShareListing, listingPath } from "../../lib/share_listing.ts";
import { originOf, readSiteHost } from "../../lib/site_host.ts";
import type { PinServer } from "./pin_server.ts";
import type { ProgramFile } from "./program_file.ts";
import { type PageShare, sharePage } from "./share_page.ts";
import { pageHeaders } from "./share_style.ts";

/** One share as the site hands it out. */
export interface SiteShare {
  readonly name: string;
  readonly infoHash: InfoHash;
  readonly infoBytes: Bytes;
  /** Bytes. */
  readonly totalLength: number;
  readonly files: readonly { readonly path: readonly string[]; readonly length: number }[];
}

export interface ShareSiteOptions {
  readonly shares: readonly SiteShare[];
  /** This machine's name, without its domain. */
  readonly hostName: string;
  /** The TCP port of the peer. */
  readonly peerPort: number;
  readonly version: string;
  /** Undefined where the program is not one file. */
  readonly program: ProgramFile | undefined;
  /** Undefined where everybody may take everything. */
  readonly pinServer: PinServer | undefined;
}

/** Where a visitor is: what he called this machine. */
type Visited = { readonly host: string; readonly port: number };

export class ShareSite {
  readonly #options: ShareSiteOptions;
  /** The announce URLs that are known to work, best first. */
  readonly #announceUrls: readonly string[];

  constructor(options: ShareSiteOptions & { announceUrls: readonly string[] }) {
    this.#options = options;
    this.#announceUrls = options.announceUrls;
  }

  /** Answers a GET; undefined where there is nothing. */
  answer(request: HttpRequest, ends: HttpEnds): HttpReply | undefined {
    const visited = this.#visitedBy(request, ends);
    if (visited === undefined) return wrongHost;
    const { path } = request;
    switch (path) {
      case "/":
        return this.#page(visited);
      case listingPath:
        return this.#listing();
      case "/localbt":
      case "/localbt.exe":
        return this.#program(request.range);
      case "/localbt.sha256":
        return this.#digest();
    }
    const { shares, pinServer } = this.#options;
    if (pinServer !== undefined) {
      return pinServer.answer(request, ends, (index) => shares[index] && this.#torrentBytes(shares[index], visited));
    }
    const share = shares.find(({ infoHash }) => path === torrentPath(infoHash));
    return share === undefined ? undefined : this.#torrent(share, visited);
  }

  #visitedBy({ host }: HttpRequest, { local }: HttpEnds): Visited | undefined {
    if (host !== undefined) return readSiteHost(host, this.#options);
    return { host: canonicalHost(local) ?? local, port: Number(new URL(this.#announceUrls[0]).port) || 80 };
  }

  #listing(): HttpReply {
    const { hostName, peerPort, shares, pinServer } = this.#options;
    const listed = shares.map(({ name, totalLength, infoHash, files }, index) => {
      const open = pinServer === undefined ? infoHash : undefined;
      return { name, totalLength, infoHash: open, index, fileCount: files.length };
    });
    const body = new TextEncoder().encode(formatShareListing({ host: hostName, peerPort, shares: listed }));
    return { status: 200, contentType: "application/json", body };
  }

  #trackers(visited: Visited): string[] {
    return [...new Set([`${originOf(visited)}/announce`, ...this.#announceUrls])];
  }

  #torrent(share: SiteShare, visited: Visited): HttpReply {
    const body = bodyOf(this.#torrentBytes(share, visited));
    return { status: 200, contentType: "application/x-bittorrent", headers: download(`${share.name}.torrent`), body };
  }

  #torrentBytes({ infoBytes }: SiteShare, visited: Visited): Bytes {
    const announce = this.#trackers(visited).map((url) => [url]);
    return encodeTorrent(infoBytes, { announce, createdBy: `localbt/${this.#options.version}` });
  }

  #page(visited: Visited): HttpReply {
    const { hostName, peerPort, shares, program, version, pinServer } = this.#options;
    const origin = originOf(visited);
    const needsPin = pinServer !== undefined;
    const pageShares = (needsPin ? [] : shares).map((share): PageShare => {
      const { name, infoHash, totalLength: length, files } = share;
      // A name or an address of the visitor's choice: where it is a name, his machine can look it up again.
      const peers = [{ host: visited.host, port: peerPort }];
      const magnet = formatMagnet({ infoHash, name, length, trackers: this.#trackers(visited), peers });
      return { name, totalLength: length, files, magnet, torrentPath: torrentPath(infoHash) };
    });
    const page = sharePage({ origin, visited, hostName, version, shares: pageShares, needsPin, program });
    return { status: 200, contentType: "text/html; charset=utf-8", headers: pageHeaders, body: encodeText(page) };
  }

  #program(range: string | undefined): HttpReply {
    const { program } = this.#options;
    if (program === undefined) return noProgram;
    const wanted = readRange(range, program.length);
    if (wanted === "unsatisfiable") {
      return { ...textReply(416, "no such bytes\n"), headers: `Content-Range: bytes */${program.length}\r\n` };
    }
    const body = program.send(wanted?.start, wanted?.end);
    if (body === undefined) return busy;
    const headers = `Accept-Ranges: bytes\r\n${download(program.fileName)}`;
    const contentType = "application/octet-stream";
    if (wanted === undefined) return { status: 200, contentType, headers, body };
    const contentRange = `Content-Range: bytes ${wanted.start}-${wanted.end - 1}/${program.length}\r\n`;
    return { status: 206, contentType, headers: headers + contentRange, body };
  }

  #digest(): HttpReply {
    const { program } = this.#options;
    return program === undefined ? noProgram : { status: 200, contentType: "text/plain", body: program.sendDigest() };
  }
}

/** Where the torrent of a share is. */
export function torrentPath(infoHash: InfoHash): string {
  return `/${infoHash}.torrent`;
}

/** The header that makes browsers save the body under a name. */
function download(name: string): string {
  const encoded = encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16)}`,
  );
  return `Content-Disposition: attachment; filename*=UTF-8''${encoded}\r\n`;
}

/** Bytes that are sent as they are, without a copy for each visitor. */
function bodyOf(bytes: Uint8Array): HttpBody {
  let at = 0;
  return {
    length: bytes.length,
    read(into) {
      const part = bytes.subarray(at, at + into.length);
      into.set(part);
      at += part.length;
      return Promise.resolve(part.length);
    },
    close: () => {},
  };
}

function encodeText(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function textReply(status: HttpReply["status"], text: string): HttpReply {
  return { status, contentType: "text/plain", body: bytesFromLatin1(text) };
}

const wrongHost = textReply(403, "this machine is not called that here: use its address\n");
const noProgram = textReply(404, "this localbt runs from source: there is no program to hand out\n");
const busy: HttpReply = {
  ...textReply(503, "too many fetch the program just now: try again\n"),
  headers: "Retry-After: 5\r\n",
};
