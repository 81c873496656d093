import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ExitCode, UserError } from "../../../lib/errors.ts";
import { readTorrentFile } from "../../../lib/io/torrent_file.ts";

const golden = new URL("../../../data/golden/mktorrent_single.torrent", import.meta.url);

async function withFile(bytes: Uint8Array, use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, bytes);
    await use(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("readTorrentFile() reads a torrent", async () => {
  await withFile(await Deno.readFile(golden), async (path) => {
    assertEquals((await readTorrentFile(path)).name, "single.bin");
  });
});

Deno.test("readTorrentFile() names the file and tells unreadable (1) from invalid (3)", async () => {
  await withFile(new TextEncoder().encode("hello"), async (path) => {
    const invalid = await assertRejects(() => readTorrentFile(path), UserError);
    assertEquals(invalid.exitCode, ExitCode.notATorrent);
    assertStringIncludes(invalid.message, `cannot read ${path}: `);
    const missing = await assertRejects(() => readTorrentFile(`${path}.missing`), UserError);
    assertEquals(missing.exitCode, ExitCode.failed);
  });
  const folder = await assertRejects(() => readTorrentFile("."), UserError, "it is a folder");
  assertEquals(folder.exitCode, ExitCode.failed);
});

Deno.test({
  name: "readTorrentFile() ends reading a file that never ends",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const error = await assertRejects(() => readTorrentFile("/dev/zero"), UserError);
    assertEquals(error.exitCode, ExitCode.notATorrent);
  },
});
