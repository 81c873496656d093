import { assertEquals } from "@std/assert";
import { type MadeShare, makeShares } from "../../../peer/io/made_share.ts";
import { watchFolders } from "../../../peer/io/share_watch.ts";
import { makeContext } from "../../cli/test_context.ts";

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("watchFolders() tells once of a share into which something came or from which it went, and of no other", async () => {
  await withFolder(async (folder) => {
    for (const name of ["a", "b", "c"]) {
      await Deno.mkdir(`${folder}/${name}`);
      await Deno.writeTextFile(`${folder}/${name}/file`, name);
    }
    const options = { name: undefined, isPinned: false };
    const shares = await makeShares(makeContext(), ["a", "b", "c"].map((name) => `${folder}/${name}`), options);
    const changed: MadeShare[] = [];
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const end = new AbortController();
    const onChange = (share: MadeShare) => {
      changed.push(share);
      (changed.length === 1 ? first : second).resolve();
    };
    watchFolders(shares, { stop: end.signal, onChange, everyMs: 1 });
    await Deno.writeTextFile(`${folder}/b/more`, "more");
    await first.promise;
    await Deno.remove(`${folder}/a`, { recursive: true });
    await second.promise;
    end.abort();
    assertEquals(changed.map(({ metainfo }) => metainfo.name), ["b", "a"]);
  });
});

Deno.test("makeShares() makes the same info hash of the same data, and another of each with a PIN", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a`, "a");
    const make = async (isPinned: boolean) => {
      const [share] = await makeShares(makeContext(), [`${folder}/a`, `${folder}/a`], { name: undefined, isPinned });
      return share.metainfo;
    };
    assertEquals((await make(false)).infoHash, (await make(false)).infoHash);
    const [one, other] = [await make(true), await make(true)];
    assertEquals([one.isPrivate, one.infoHash === other.infoHash], [true, false]);
  });
});
