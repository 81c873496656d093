import { assert, assertEquals, assertThrows } from "@std/assert";
import { ClaimedFile } from "../../../lib/io/claimed_file.ts";
import { TempFolder } from "../../peer/io/sample_torrent.ts";

Deno.test("ClaimedFile.claim() keeps others out until it is removed or released", async () => {
  await using folder = await TempFolder.make();
  const path = folder.at("lock");
  for (const end of ["remove", "release"] as const) {
    const first = ClaimedFile.claim(path);
    assert(first !== undefined);
    assertEquals(ClaimedFile.claim(path), undefined);
    first[end]();
    const second = ClaimedFile.claim(path);
    assert(second !== undefined, end);
    second.remove();
    assertEquals([...Deno.readDirSync(folder.path)], []);
  }
});

Deno.test("ClaimedFile.claim() takes no file that lost its name meanwhile", async () => {
  await using folder = await TempFolder.make();
  const path = folder.at("lock");
  const first = ClaimedFile.claim(path)!;
  await Deno.rename(path, folder.at("final"));
  const second = ClaimedFile.claim(path);
  assert(second !== undefined, "another file has that name now");
  first.release();
  second.remove();
  assertEquals(Array.from(Deno.readDirSync(folder.path), ({ name }) => name), ["final"]);
});

Deno.test({
  name: "ClaimedFile.claim() follows no link and takes no folder",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await TempFolder.make();
    await Deno.symlink(folder.at("elsewhere"), folder.at("link"));
    await Deno.mkdir(folder.at("folder"));
    for (const name of ["link", "folder"]) assertThrows(() => ClaimedFile.claim(folder.at(name)), Error, "in the way");
    assertEquals(Array.from(Deno.readDirSync(folder.path), ({ name }) => name).sort(), ["folder", "link"]);
  },
});
