import { assertEquals } from "@std/assert";

/** Gives up the rights with these arguments in a process of its own, then tries what they were for. */
async function tryAll(...args: string[]): Promise<string[]> {
  const program = `
    import { bypassProxyOnLan, giveUpRights } from "${new URL("../../../lib/io/rights.ts", import.meta.url)}";
    bypassProxyOnLan(Deno.env);
    const proxyless = Deno.env.get("NO_PROXY");
    giveUpRights(Deno.args[0] === "--" ? Deno.args.slice(1) : Deno.args);
    const attempts = {
      run: () => new Deno.Command(Deno.build.os === "windows" ? "where" : "true").outputSync(),
      ffi: () => Deno.dlopen("nothing.so", {}),
      env: () => Deno.env.get("HOME"),
      read: () => Deno.statSync("."),
    };
    for (const [name, attempt] of Object.entries(attempts)) {
      let refused = false;
      try { attempt(); } catch (error) { refused = error instanceof Deno.errors.NotCapable; }
      console.log(name, refused ? "refused" : "allowed");
    }
    console.log("proxyless", proxyless.includes("192.168.0.0/16"));
  `;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", "--ext=ts", program, "--", ...args],
    cwd: new URL(".", import.meta.url),
    env: { NO_PROXY: "example.org" },
  }).output();
  if (stdout.length === 0) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim().split("\n");
}

Deno.test("giveUpRights() leaves a process that cannot run programs, load libraries or read its environment", async () => {
  assertEquals(await tryAll("seed", "-d", "data", "a.torrent"), [
    "run refused",
    "ffi refused",
    "env refused",
    "read allowed",
    "proxyless true",
  ]);
});

Deno.test({
  name: "giveUpRights() gives up nothing where a path leads into a folder that Deno guards",
  ignore: Deno.build.os !== "linux",
  async fn() {
    for (const args of [["--output=/dev/shm/new/folder"], ["-o", "/dev/shm"], ["/proc/self/root/dev/shm/a.torrent"]]) {
      assertEquals((await tryAll("download", ...args))[0], "run allowed", args.join(" "));
    }
  },
});
