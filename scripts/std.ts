/**
 * Prints the extra `deno` options that a task needs to resolve the `@std` modules on this network.
 *
 * Where JSR answers, or the cache already holds the modules, nothing is printed and deno.json's `jsr:` imports serve.
 * Where only npm is reachable, the import map beside this file sends the same names to the `deno-std` package on npm.
 */
try {
  await Promise.all([
    import("@std/assert"),
    import("@std/cli/parse-args"),
    import("@std/crypto"),
    import("@std/streams"),
  ]);
} catch {
  console.log("--import-map=scripts/std_npm.json");
}
