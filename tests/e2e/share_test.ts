import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Child } from "../interop/child.ts";
import { eventOf, eventsOf, runLocalbt, startLocalbt } from "../interop/localbt.ts";
import {
  assertHoldsPayload,
  type Payload,
  type PayloadKind,
  singleFile,
  smallFiles,
  writePayload,
} from "../interop/payload.ts";
import { join } from "../interop/path.ts";
import { Scene } from "../interop/scene.ts";
import { interrupt } from "./swarm.ts";

/** A share at work on loopback: nothing of it leaves this machine. */
interface Sharing {
  readonly child: Child;
  readonly payload: Payload;
  /** `127.0.0.1:40001`. */
  readonly address: string;
  readonly url: string;
  readonly infoHash: string;
}

async function share(scene: Scene, kind: PayloadKind, args: readonly string[] = []): Promise<Sharing> {
  const payload = writePayload(kind, scene.newFolder("data"));
  const source = join(payload.directory, payload.name);
  const child = startLocalbt(scene, ["share", "--host", "127.0.0.1", "--port", "0", "--json", ...args, source]);
  const ready = await eventOf(child, "ready", 20_000);
  const [{ infoHash }] = ready.shares as { infoHash: string }[];
  const address = `127.0.0.1:${ready.port}`;
  return { child, payload, address, url: `http://${address}/`, infoHash };
}

const onLoopback = ["--host", "127.0.0.1", "--port", "0"];

for (
  const [what, kind] of [["a folder", smallFiles(50, 32 * 1024)], ["a file", singleFile(1_000_000, 32_768)]] as const
) {
  Deno.test(`share and get move ${what} with nothing but an address`, async () => {
    await using scene = await Scene.open();
    const sharing = await share(scene, kind);
    const target = scene.newFolder("target");
    const { code, stdout, stderr } = await runLocalbt(scene, ["get", sharing.address, "-o", target, ...onLoopback]);
    assertEquals(code, 0, stderr);
    assertEquals(stdout, `${target}/${sharing.payload.name}`);
    assertHoldsPayload(sharing.payload, target);
    await eventOf(sharing.child, "whole", 10_000);
    await interrupt(sharing.child);
    assertEquals(eventsOf(sharing.child).at(-1)?.event, "done");
  });
}

Deno.test("share writes nothing beside the data, and the same data has the same info hash", async () => {
  await using scene = await Scene.open();
  const sharing = await share(scene, smallFiles(5, 16 * 1024));
  await interrupt(sharing.child);
  assertEquals([...Deno.readDirSync(sharing.payload.directory)].map(({ name }) => name), [sharing.payload.name]);
  const again = startLocalbt(scene, [
    ...["share", "--host", "127.0.0.1", "--port", "0", "--json"],
    join(sharing.payload.directory, sharing.payload.name),
  ]);
  const [{ infoHash }] = (await eventOf(again, "ready", 20_000)).shares as { infoHash: string }[];
  assertEquals(infoHash, sharing.infoHash);
});

Deno.test("get takes the page's address, the torrent's, and prefers neither name nor port of another", async () => {
  await using scene = await Scene.open();
  const sharing = await share(scene, singleFile(100_000, 16_384));
  for (const operand of [sharing.url, `${sharing.url}${sharing.infoHash}.torrent`]) {
    const target = scene.newFolder("target");
    const { code, stderr } = await runLocalbt(scene, ["get", operand, "-o", target, ...onLoopback]);
    assertEquals(code, 0, stderr);
    assertHoldsPayload(sharing.payload, target);
  }
});

Deno.test("share --name renames what others see and get, without touching the data", async () => {
  await using scene = await Scene.open();
  const sharing = await share(scene, smallFiles(5, 16 * 1024), ["--name", "Photos of May"]);
  const target = scene.newFolder("target");
  const { code, stdout } = await runLocalbt(scene, ["get", sharing.address, "-o", target, ...onLoopback]);
  assertEquals([code, stdout], [0, `${target}/Photos of May`]);
  const renamed = { ...sharing.payload, name: "Photos of May" };
  assertEquals(
    countFiles(join(target, renamed.name)),
    countFiles(join(sharing.payload.directory, sharing.payload.name)),
  );
});

function countFiles(folder: string): number {
  let count = 0;
  for (const entry of Deno.readDirSync(folder)) count += entry.isDirectory ? countFiles(join(folder, entry.name)) : 1;
  return count;
}

Deno.test("get --list and --json tell what is shared, and take nothing", async () => {
  await using scene = await Scene.open();
  const sharing = await share(scene, singleFile(100_000, 16_384));
  const json = await runLocalbt(scene, ["get", "--list", "--json", sharing.address]);
  assertEquals(json.code, 0);
  const [listed] = JSON.parse(json.stdout);
  assertEquals([listed.name, listed.infoHash, listed.totalLength], [sharing.payload.name, sharing.infoHash, 100_000]);
  const lines = await runLocalbt(scene, ["get", "--list", sharing.address]);
  assertMatch(lines.stdout, /97\.7 KiB {2}from .*127\.0\.0\.1/);
});

Deno.test("get asks which of several, by name where nobody can be asked", async () => {
  await using scene = await Scene.open();
  const other = join(scene.newFolder("other"), "other.txt");
  Deno.writeTextFileSync(other, "another thing");
  const sharing = await share(scene, singleFile(100_000, 16_384), [other]);
  const none = await runLocalbt(scene, ["get", sharing.address]);
  assertEquals(none.code, 2);
  assertStringIncludes(none.stderr, "other.txt");
  const target = scene.newFolder("target");
  const named = await runLocalbt(scene, ["get", sharing.address, "OTHER", "-o", target, ...onLoopback]);
  assertEquals(named.code, 0, named.stderr);
  assertEquals(Deno.readTextFileSync(join(target, "other.txt")), "another thing");
});

Deno.test("get says what is wrong with an address", async () => {
  await using scene = await Scene.open();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const closed = listener.addr.port;
  listener.close();
  const refused = await runLocalbt(scene, ["get", `127.0.0.1:${closed}`]);
  assertEquals(refused.code, 1);
  assertStringIncludes(refused.stderr, "nobody shares anything there");
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => new Response("hello"));
  const other = await runLocalbt(scene, ["get", `127.0.0.1:${server.addr.port}`]);
  assertEquals(other.code, 1);
  assertStringIncludes(other.stderr, "it is no localbt share");
  assert(!other.stderr.includes("internal error"));
  assertEquals((await runLocalbt(scene, ["get", "https://127.0.0.1/"])).code, 2);
});

Deno.test("share --pin gives nothing without the PIN, and everything with it", async () => {
  await using scene = await Scene.open();
  const sharing = await share(scene, singleFile(1_000_000, 32_768), ["--pin", "otter"]);
  const page = await (await fetch(sharing.url)).text();
  const listing = await (await fetch(`${sharing.url}shares.json`)).text();
  for (const text of [page, listing]) assert(!text.includes(sharing.infoHash), text);
  assertEquals((await drained(`${sharing.url}${sharing.infoHash}.torrent`)).status, 404);
  const target = scene.newFolder("target");
  const get = (...args: string[]) => runLocalbt(scene, ["get", sharing.address, "-o", target, ...onLoopback, ...args]);
  const without = await get();
  assertEquals(without.code, 2);
  assertStringIncludes(without.stderr, "it needs a PIN");
  const wrong = await get("--pin", "badger");
  assertEquals(wrong.code, 1);
  assertStringIncludes(wrong.stderr, "it is not the right one");
  const right = await get("--pin", "otter");
  assertEquals(right.code, 0, right.stderr);
  assertHoldsPayload(sharing.payload, target);
});

async function drained(url: string): Promise<Response> {
  const response = await fetch(url);
  await response.body?.cancel();
  return response;
}

Deno.test("share says what is wrong with its arguments", async () => {
  await using scene = await Scene.open();
  const file = join(scene.newFolder("data"), "a.txt");
  Deno.writeTextFileSync(file, "a");
  const run = async (...args: string[]) => {
    const { code, stderr } = await runLocalbt(scene, ["share", "--host", "127.0.0.1", "--port", "0", ...args]);
    return [code, stderr] as const;
  };
  const [missing, words] = await run("/no/such/file");
  assertEquals(missing, 1);
  assertStringIncludes(words, "/no/such/file");
  assertEquals((await run("--pin", "abc", file))[0], 2);
  assertEquals((await run("--name", "x", file, file))[0], 2);
  assertEquals((await run())[0], 2);
});
