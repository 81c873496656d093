/**
 * The page of a share: what there is and how to take it, with localbt, with nothing at all, or with any BitTorrent program.
 *
 * One HTML document without scripts and without anything from elsewhere. Every name in it is foreign text: escaped, rid of
 * control characters and isolated from the direction of what stands around it.
 */
import { formatCount, formatSize, safeText } from "../../lib/cli/text.ts";
import { formatEndpoint } from "../../lib/endpoint.ts";
import { pageFilesMax } from "../../lib/limits/shares.ts";
import { sharePort } from "../../lib/share_target.ts";
import { pageStyle } from "./share_style.ts";

/** A share on the page. */
export interface PageShare {
  readonly name: string;
  /** Bytes. */
  readonly totalLength: number;
  readonly files: readonly { readonly path: readonly string[]; readonly length: number }[];
  readonly magnet: string;
  /** `/….torrent`. */
  readonly torrentPath: string;
}

export interface SharePage {
  /** `http://192.168.1.5:6969`, as the visitor reached it. */
  readonly origin: string;
  readonly visited: { readonly host: string; readonly port: number };
  readonly hostName: string;
  readonly version: string;
  /** Empty where a PIN is needed to see them. */
  readonly shares: readonly PageShare[];
  readonly needsPin: boolean;
  readonly program: Program | undefined;
}

/** The program that the page offers. */
interface Program {
  readonly platform: string;
  readonly fileName: string;
  readonly length: number;
  readonly sha256: string | undefined;
}

const mark = '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" ' +
  'aria-hidden="true"><circle cx="12" cy="5" r="2.6"/><circle cx="5" cy="18" r="2.6"/><circle cx="19" cy="18" r="2.6"/>' +
  '<path d="M10.8 7.4 6.3 15.6M13.2 7.4l4.5 8.2M7.8 18h8.4"/></svg>';

/** The document. */
export function sharePage(page: SharePage): string {
  const { hostName, shares, version } = page;
  const title = shares.length === 1 ? `${text(shares[0].name)} on ${text(hostName)}` : `Shared by ${text(hostName)}`;
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width,initial-scale=1">',
    `<title>${title}</title><style>${pageStyle}</style></head><body><main>`,
    `<div class="brand">${mark}<span>localbt</span></div>`,
    `<h1>${headline(page)}</h1><p class="lead">${lead(page)}</p>`,
    ...shares.map(shareSection),
    waysSection(page),
    `</main><footer>localbt ${
      text(version)
    }. The more machines take it, the faster it goes: each passes on what it has.`,
    "</footer></body></html>\n",
  ].join("");
}

function headline({ hostName }: SharePage): string {
  return hostName === "" ? "Shared with you" : `<bdi>${text(hostName)}</bdi> shares with you`;
}

function lead({ shares, needsPin }: SharePage): string {
  if (needsPin) return "What is shared here needs a PIN. Ask the person who shares it.";
  const totalLength = shares.reduce((sum, share) => sum + share.totalLength, 0);
  return shares.length === 1
    ? `${formatSize(totalLength)} on your local network. Nothing passes through the internet.`
    : `${shares.length} things, ${
      formatSize(totalLength)
    }, on your local network. Nothing passes through the internet.`;
}

function shareSection({ name, totalLength, files, magnet, torrentPath }: PageShare): string {
  const facts = `${formatSize(totalLength)} · ${formatCount(files.length, "file")}`;
  const more = files.length > pageFilesMax ? `<li><bdi>and ${files.length - pageFilesMax} more</bdi></li>` : "";
  const rows = files.slice(0, pageFilesMax).map(({ path, length }) =>
    `<li><bdi>${text(path.join(" / "))}</bdi><span>${formatSize(length)}</span></li>`
  );
  const isFolder = files.length > 1 || files[0].path.length > 0;
  return `<section><h2>${nameOf(name)}</h2><p class="facts">${facts}</p><p class="actions">` +
    `<a class="button first" href="${text(magnet)}">Open in a BitTorrent program</a>` +
    `<a class="button" href="${text(torrentPath)}">Torrent file</a></p>` +
    (isFolder ? `<details><summary>Files</summary><ul class="files">${rows.join("")}${more}</ul></details>` : "") +
    "</section>";
}

function waysSection(page: SharePage): string {
  const { visited, needsPin } = page;
  const address = visited.port === sharePort ? visited.host : formatEndpoint(visited);
  const get = `get ${address}${needsPin ? " --pin WORD" : ""}`;
  const ways = [
    `<h3>With localbt</h3><pre>localbt ${text(get)}</pre>`,
    programWay(page, get),
    ...needsPin ? [] : [
      "<h3>With any BitTorrent program</h3><p>Open the link above, or the torrent file: Transmission, qBittorrent, aria2 and " +
      "others take both.</p>",
    ],
  ];
  return `<section><ol>${ways.map((way) => `<li>${way}</li>`).join("")}</ol></section>`;
}

function programWay({ origin, program }: SharePage, get: string): string {
  if (program === undefined) {
    return "<h3>With nothing installed</h3><p>This localbt runs from source, so it cannot hand itself out. " +
      "A built one offers itself here.</p>";
  }
  const { platform, fileName, length, sha256 } = program;
  const url = `${origin}/${fileName}`;
  const lines = fileName.endsWith(".exe")
    ? [`curl.exe -o ${fileName} ${url}`, `.\\${fileName} ${get}`]
    : [`curl -o ${fileName} ${url}`, `chmod +x ${fileName}`, `./${fileName} ${get}`];
  const digest = sha256 === undefined ? "" : ` SHA-256 <code>${sha256}</code>`;
  return `<h3>With nothing installed, on ${text(platform)}</h3><pre>${lines.map(text).join("\n")}</pre>` +
    `<p class="small"><a href="/${fileName}">localbt for ${text(platform)}</a>, one file of ${
      formatSize(length)
    } that needs ` +
    `nothing else.${digest}</p>`;
}

function nameOf(name: string): string {
  return `<bdi>${text(name)}</bdi>`;
}

/** Foreign text as HTML text or as the value of an attribute in double quotes. */
function text(foreign: string): string {
  return safeText(foreign).replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
}
