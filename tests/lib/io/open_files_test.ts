import { assert, assertEquals } from "@std/assert";
import { openFilesMax, parseOpenFiles } from "../../../lib/io/open_files.ts";

Deno.test("parseOpenFiles() reads the soft limit, and none where there is none", () => {
  const limits = "Limit                     Soft Limit           Hard Limit           Units     \n" +
    "Max processes             95210                95210                processes \n" +
    "Max open files            1024                 524288               files     \n";
  assertEquals(parseOpenFiles(limits), 1024);
  assertEquals(parseOpenFiles(limits.replace("1024  ", "unlimited")), undefined);
  assertEquals(parseOpenFiles(""), undefined);
});

Deno.test({
  name: "openFilesMax() is what this process has",
  ignore: Deno.build.os !== "linux",
  fn() {
    assert(openFilesMax()! >= 256, `${openFilesMax()}`);
  },
});
