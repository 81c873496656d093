/** Paths of the test harness: the few operations that tests need, on every system. */
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export { basename, dirname, join, relative };

/** The folder of the repository. */
export const repositoryFolder = fileURLToPath(new URL("../../", import.meta.url));

/** The path of a file beside this one. */
export function besideHarness(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
