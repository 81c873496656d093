import { assertEquals } from "@std/assert";
import type { MetainfoFile } from "../../lib/metainfo.ts";
import { webSeedFileUrl } from "../../peer/web_seed_url.ts";

function file(path: string[], exactPath?: string[]): MetainfoFile {
  const rest = { length: 1, isPadding: false, isSymlink: false, isExecutable: false };
  return { path, ...(exactPath !== undefined && { exactPath }), ...rest };
}

Deno.test("webSeedFileUrl() is the web seed's own URL for a single file", () => {
  const torrent = { files: [file(["disk.iso"])], isMultiFile: false };
  assertEquals(webSeedFileUrl("http://a.test/other%20name?x=1", torrent, 0), "http://a.test/other%20name?x=1");
});

Deno.test("webSeedFileUrl() appends the name of a single file to a folder", () => {
  const torrent = { files: [file(["my disk #1.iso"])], isMultiFile: false };
  assertEquals(webSeedFileUrl("http://a.test/d/", torrent, 0), "http://a.test/d/my%20disk%20%231.iso");
});

Deno.test("webSeedFileUrl() appends name and path of one of several files, each part percent-encoded", () => {
  const torrent = { files: [file(["top"]), file(["top", "ä b", "50%?.txt"])], isMultiFile: true };
  const url = "http://a.test/d/top/%C3%A4%20b/50%25%3F.txt";
  assertEquals(webSeedFileUrl("http://a.test/d/", torrent, 1), url);
  assertEquals(webSeedFileUrl("http://a.test/d", torrent, 1), url);
});

Deno.test("webSeedFileUrl() uses the maker's own words for a path where they are harmless", () => {
  const torrent = { files: [file(["top", "a_b"], ["top", "a:b"])], isMultiFile: true };
  assertEquals(webSeedFileUrl("http://a.test/", torrent, 0), "http://a.test/top/a%3Ab");
});
