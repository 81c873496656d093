import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import type { Child } from "../interop/child.ts";
import { localbtCommand, runLocalbt, startLocalbt, startTracker } from "../interop/localbt.ts";
import { join } from "../interop/path.ts";
import { Scene } from "../interop/scene.ts";

const commands = ["share", "get", "create", "info", "verify", "tracker", "seed", "download", "demo"];

Deno.test("main prints its version on stdout and nothing else", async () => {
  await using scene = await Scene.open();
  for (const args of [["--version"], ["-V"], ["info", "--version"]]) {
    const { code, stdout, stderr } = await runLocalbt(scene, args);
    assertEquals([code, stdout, stderr], [0, `localbt ${config.version}`, ""]);
  }
});

Deno.test("main without a command shows the help and exits with 2 where nobody can answer a menu", async () => {
  await using scene = await Scene.open();
  const { code, stdout, stderr } = await runLocalbt(scene, []);
  assertEquals([code, stdout], [2, ""]);
  assertStringIncludes(stderr, "Usage: localbt <command>");
});

Deno.test("main --help lists the commands in order on stdout", async () => {
  await using scene = await Scene.open();
  const { code, stdout, stderr } = await runLocalbt(scene, ["--help"]);
  assertEquals([code, stderr], [0, ""]);
  const listed = stdout.split("\n").flatMap((line) => /^ {2}([a-z]+) {2,}\S/.exec(line)?.[1] ?? []);
  assertEquals(listed, commands);
});

for (const name of commands) {
  Deno.test(`localbt ${name} --help shows usage, options and examples`, async () => {
    await using scene = await Scene.open();
    for (const args of [[name, "--help"], [name, "-h", "--nonsense"], ["-h", name]]) {
      const { code, stdout, stderr } = await runLocalbt(scene, args);
      assertEquals([code, stderr], [0, ""], args.join(" "));
      assertStringIncludes(stdout, `Usage: localbt ${name} [options]`);
      assertStringIncludes(stdout, `Examples:\n  localbt ${name}`);
      assertEquals(stdout.split("\n").filter((line) => line.length > 120), []);
    }
  });

  Deno.test(`localbt ${name} refuses an unknown option with 2, one line and the nearest name`, async () => {
    await using scene = await Scene.open();
    const { code, stdout, stderr } = await runLocalbt(scene, [name, "--jsn"]);
    assertEquals([code, stdout], [2, ""]);
    assertEquals(stderr.split("\n"), [
      `localbt: cannot run ${name}: there is no option --jsn`,
      `did you mean --json?; see localbt ${name} --help`,
    ]);
  });
}

Deno.test("main refuses an unknown command and names the nearest", async () => {
  await using scene = await Scene.open();
  const { code, stdout, stderr } = await runLocalbt(scene, ["downlaod", "x"]);
  assertEquals([code, stdout], [2, ""]);
  assertStringIncludes(stderr, 'there is no command "downlaod"\ndid you mean localbt download?');
  assertEquals((await runLocalbt(scene, ["__proto__"])).code, 2);
  assertEquals((await runLocalbt(scene, ["--json"])).code, 2);
});

Deno.test("main shows where an error came from with LOCALBT_DEBUG=1 and never without", async () => {
  await using scene = await Scene.open();
  const plain = await runLocalbt(scene, ["info", "no-such.torrent"]);
  assertEquals(plain.stderr, "localbt: cannot read no-such.torrent: there is no such file or folder");
  const debug = await runLocalbt(scene, ["info", "no-such.torrent"], { env: { LOCALBT_DEBUG: "1" } });
  // the modules of the compiled program are bundles
  assertMatch(debug.stderr, /\n +at .*\.[jt]s/);
  assertEquals([plain.code, debug.code], [1, 1]);
});

Deno.test("main strips escapes from a message before it is printed", async () => {
  await using scene = await Scene.open();
  const { stderr } = await runLocalbt(scene, ["info", "a\x1b[2Jb\u202ec"]);
  assertStringIncludes(stderr, "cannot read a[2Jbc: ");
});

Deno.test({
  name: "main ends quietly when the reader of its stdout is gone",
  // other systems tell it in other ways
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const [program, ...args] = localbtCommand();
    const child = new Deno.Command("bash", {
      args: ["-c", 'set -o pipefail; "$@" --help | true; echo "${PIPESTATUS[0]}"', "bash", program, ...args, "seed"],
      stdin: "null",
    });
    const { stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    assertEquals(decoder.decode(stderr), "");
    // the help may have been written before the reader left
    assertMatch(decoder.decode(stdout).trim(), /^(0|141)$/);
  },
});

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test({
    name: `main ends with ${code} within 3 s of ${signal}`,
    ignore: Deno.build.os === "windows",
    fn: async () => {
      await using scene = await Scene.open();
      const { child } = await startTracker(scene);
      const begin = performance.now();
      child.signal(signal);
      const status = await child.exit(10_000);
      assertEquals([status.code, status.signal], [code, null]);
      assert(performance.now() - begin < 3_000);
    },
  });
}

/** A command that waits for a file that never comes and does not look at the stop signal. */
async function startHanging(scene: Scene): Promise<{ child: Child; writer: Deno.FsFile }> {
  const fifo = join(scene.newFolder("fifo"), "never.torrent");
  const { success } = await new Deno.Command("mkfifo", { args: [fifo] }).output();
  assert(success);
  const child = startLocalbt(scene, ["info", fifo]);
  // resolves once the child has opened the other end
  const writer = await Deno.open(fifo, { write: true });
  return { child, writer };
}

Deno.test({
  name: "main ends within 3 s of the first signal, also a command that does not",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using scene = await Scene.open();
    const { child, writer } = await startHanging(scene);
    const begin = performance.now();
    child.signal("SIGTERM");
    const { code } = await child.exit(10_000);
    writer.close();
    assertEquals(code, 143);
    assert(performance.now() - begin < 3_000);
  },
});

Deno.test({
  name: "main ends at once with the second signal",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using scene = await Scene.open();
    const { child, writer } = await startHanging(scene);
    const begin = performance.now();
    child.signal("SIGINT");
    // two signals that wait together count as one: the second is sent until it is seen
    const again = setInterval(() => child.signal("SIGINT"), 50);
    const { code } = await child.exit(10_000);
    clearInterval(again);
    writer.close();
    assertEquals(code, 130);
    assert(performance.now() - begin < 2_000);
  },
});

/** Files that are no torrents, and the exit code of whoever is given one. */
const badTorrents: readonly [name: string, content: string | Uint8Array | undefined, code: number][] = [
  ["missing.torrent", undefined, 1],
  ["empty.torrent", "", 3],
  ["text.torrent", "Dear reader, this is a letter and no torrent.\n", 3],
  ["deep.torrent", "d4:info" + "l".repeat(100_000), 3],
  ["deep-closed.torrent", `d4:info${"l".repeat(5_000)}${"e".repeat(5_000)}e`, 3],
  ["no-info.torrent", "d8:announce19:http://127.0.0.1:1/e", 3],
  ["no-pieces.torrent", "d4:infod6:lengthi1e4:name1:aee", 3],
  ["huge-length.torrent", "d4:infod6:lengthi99999999999999999999e4:name1:a12:piece lengthi16384e6:pieces0:ee", 3],
  [
    "short-hashes.torrent",
    "d4:infod6:lengthi50000e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee",
    3,
  ],
];

async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(folder)) names.push(entry.name);
  return names.sort();
}

for (const name of ["info", "verify", "seed", "download"]) {
  Deno.test(`localbt ${name} refuses what is no torrent with one line, its exit code, and nothing written`, async () => {
    await using scene = await Scene.open();
    const folder = scene.newFolder("work");
    await Deno.mkdir(join(folder, "folder.torrent"));
    for (const [file, content] of badTorrents) {
      if (content === undefined) continue;
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      await Deno.writeFile(join(folder, file), bytes);
    }
    const whole = await Deno.readFile(new URL("../../data/golden/mktorrent_single.torrent", import.meta.url));
    await Deno.writeFile(join(folder, "truncated.torrent"), whole.subarray(0, whole.length >> 1));
    const before = await namesIn(folder);
    const cases: [string, number][] = [
      ...badTorrents.map(([file, , code]): [string, number] => [file, code]),
      ["folder.torrent", 1],
      ["truncated.torrent", 3],
    ];
    await Promise.all(cases.map(async ([file, expected]) => {
      const { code, stdout, stderr } = await runLocalbt(scene, [name, file], { cwd: folder });
      assertEquals([file, code, stdout], [file, expected, ""]);
      assertMatch(stderr, new RegExp(`^localbt: cannot read ${file}: [^\n]+(\n[^\n]+)?$`));
    }));
    assertEquals(await namesIn(folder), before);
  });
}

Deno.test("localbt create refuses a missing path and an existing torrent, and writes nothing", async () => {
  await using scene = await Scene.open();
  const folder = scene.newFolder("work");
  await Deno.writeTextFile(join(folder, "a.txt"), "hello");
  await Deno.writeTextFile(join(folder, "a.txt.torrent"), "keep me");
  await Deno.writeTextFile(join(folder, "empty.txt"), "");
  await Deno.mkdir(join(folder, "nothing"));
  const before = await namesIn(folder);
  for (const args of [["missing"], ["a.txt"], ["empty.txt"], ["nothing"], []]) {
    const { code, stdout, stderr } = await runLocalbt(scene, ["create", ...args], { cwd: folder });
    assertEquals([code, stdout], [args.length === 0 ? 2 : 1, ""], `${args} ${stderr}`);
    assertMatch(stderr, /^localbt: cannot [^\n]+: [^\n]+(\n[^\n]+)?$/);
  }
  assertEquals(await namesIn(folder), before);
  assertEquals(await Deno.readTextFile(join(folder, "a.txt.torrent")), "keep me");
});

Deno.test("localbt tracker tells in one line that its port is in use", async () => {
  await using scene = await Scene.open();
  const { port } = await startTracker(scene);
  const second = startLocalbt(scene, ["tracker", "--host", "127.0.0.1", "--port", String(port)]);
  assertEquals((await second.exit(10_000)).code, 1);
  assertMatch(second.text("stderr"), /^localbt: cannot [^\n]*: [^\n]+(\n[^\n]+)?$/);
  assertStringIncludes(second.text("stderr"), String(port));
});
