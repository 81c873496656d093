import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { ExitCode, UserError } from "../../../lib/errors.ts";
import { buildTorrent } from "../../../lib/torrent_builder.ts";
import { trackerCommand } from "../../../tracker/io/tracker_command.ts";
import { makeContext, type TestContext } from "../../cli/test_context.ts";

/** Runs the command until it is ready, lets `use` have its first announce URL, then interrupts it. */
async function run(
  context: TestContext,
  args: string[],
  use: (announceUrl: string) => Promise<void>,
): Promise<ExitCode> {
  const { promise: ready, resolve } = Promise.withResolvers<string>();
  const { out, event } = context;
  const watched: TestContext = {
    ...context,
    out(text) {
      out(text);
      resolve(String(text).split("\n")[0]);
    },
    event(name, fields) {
      event(name, fields);
      if (name === "ready") resolve((fields?.announceUrls as string[])[0]);
    },
  };
  const running = trackerCommand.run(watched, ["--host", "127.0.0.1", "--port", "0", ...args]);
  await Promise.race([ready, running]);
  await use(await ready);
  context.interrupt();
  return await running;
}

const announce = (url: string, hash: string) =>
  fetch(`${url}?info_hash=${hash}&peer_id=-XX0000-abcdefghijkl&port=6881&left=0&event=started`).then((r) => r.text());

/** A torrent file with one small file in it, and its info hash percent-encoded. */
async function writeTorrent(path: string, name: string): Promise<string> {
  const { bytes, infoHash } = buildTorrent({
    name,
    files: [{ path: [], length: 5 }],
    isMultiFile: false,
    pieceLength: 16384,
    pieces: new Uint8Array(20),
  });
  await Deno.writeFile(path, bytes);
  return infoHash.replace(/../g, "%$&");
}

Deno.test("tracker prints its announce URL on stdout alone, serves, and ends when asked to", async () => {
  const context = makeContext();
  const code = await run(context, [], async (url) => {
    assertStringIncludes(await announce(url, "a".repeat(20)), "8:completei1e");
  });
  assertEquals(code, ExitCode.done);
  assertMatch(context.stdout(), /^http:\/\/127\.0\.0\.1:\d+\/announce\n$/);
  assertMatch(context.stderr(), /press Ctrl-C to stop[^]*stopped after 0ms and 1 announce\n$/);
});

Deno.test("tracker --json tells ready, each announce and the counters as events", async () => {
  const context = makeContext({ json: true });
  await run(context, [], async (url) => void (await announce(url, "a".repeat(20))));
  assertEquals(context.stdout(), "");
  assertEquals(context.events.map(({ event }) => event), ["ready", "announce", "stats"]);
  const [ready, announced, stats] = context.events;
  assertEquals(ready.intervalMs, 60_000);
  assertEquals([announced.kind, announced.peer, announced.left], ["started", "127.0.0.1:6881", 0]);
  assertEquals([stats.announces, stats.seeds], [1, 1]);
});

Deno.test("tracker --verbose logs each announce", async () => {
  const context = makeContext({ verbose: true });
  await run(context, [], async (url) => void (await announce(url, "a".repeat(20))));
  assertStringIncludes(context.stderr(), "127.0.0.1:6881 started 61616161 has all (1 seed, 0 downloaders)\n");
});

Deno.test("tracker --allow tracks the torrents of these files and no others", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const [first, second] = [`${folder}/a.torrent`, `${folder}/b.torrent`];
    const hashes = [await writeTorrent(first, "a"), await writeTorrent(second, "b")];
    const context = makeContext();
    await run(context, ["--allow", first, second], async (url) => {
      for (const hash of hashes) assertStringIncludes(await announce(url, hash), "8:completei1e");
      assertStringIncludes(await announce(url, "a".repeat(20)), "failure reason");
    });
    assertStringIncludes(context.stderr(), "2 torrents");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("tracker says what is wrong with its arguments", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/text.torrent`, "hello");
    const table: [string[], string, ExitCode][] = [
      [["--allow", `${folder}/none.torrent`], "there is no such file", ExitCode.failed],
      [["--allow", folder], "it is a folder", ExitCode.failed],
      [["--allow", `${folder}/text.torrent`], "it is not a valid torrent", ExitCode.notATorrent],
      [["some.torrent"], 'it does not take "some.torrent"', ExitCode.usage],
      [["--port", "70000"], "must be at most 65535", ExitCode.usage],
      [["--interval", "1s"], "must be at least 10000", ExitCode.usage],
      [["--host", "192.0.2.99"], "this machine has no such address", ExitCode.failed],
    ];
    for (const [args, why, exitCode] of table) {
      const error = await assertRejects(() => trackerCommand.run(makeContext(), ["--port", "0", ...args]), UserError);
      assertStringIncludes(error.message, why, args.join(" "));
      assertEquals(error.exitCode, exitCode, args.join(" "));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("tracker says that its port is in use", async () => {
  const other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const args = ["--host", "127.0.0.1", "--port", String(other.addr.port)];
  const error = await assertRejects(() => trackerCommand.run(makeContext(), args), UserError, "another program uses");
  assertStringIncludes(error.hint ?? "", "--port");
  other.close();
});
