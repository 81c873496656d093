import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Child } from "./child.ts";
import type { Host } from "./host.ts";
import { type Need, runs, testOn } from "./installed.ts";
import { Lan, networkNamespaces } from "./lan.ts";
import { eventOf, runLocalbt, startLocalbt } from "./localbt.ts";
import { assertHoldsPayload, type Payload, singleFile, writePayload } from "./payload.ts";
import { join, repositoryFolder } from "./path.ts";
import { Scene } from "./scene.ts";

const zeroconf: Need = {
  name: "python3-zeroconf",
  isInstalled: () => runs(["/usr/bin/python3", "-c", "import zeroconf"]),
};

async function shareOn(
  scene: Scene,
  host: Host,
  args: readonly string[] = [],
): Promise<{ child: Child; payload: Payload; infoHash: string }> {
  const payload = writePayload(singleFile(3_000_000, 32_768, 7), scene.newFolder("data"));
  const line = ["share", "--json", ...args, join(payload.directory, payload.name)];
  const child = startLocalbt(scene, line, { prefix: host.prefix });
  const [{ infoHash }] = (await eventOf(child, "ready", 20_000)).shares as { infoHash: string }[];
  return { child, payload, infoHash };
}

testOn(
  [networkNamespaces],
  "get NAME finds the share by multicast DNS, past docker0",
  async () => {
    await using scene = await Scene.open();
    const lan = await Lan.open(scene);
    const [giver, taker] = [await lan.addHost({ others: ["docker0"] }), await lan.addHost({ others: ["docker0"] })];
    const { payload } = await shareOn(scene, giver, ["--name", "Holiday"]);
    const target = scene.newFolder("target");
    const child = startLocalbt(scene, ["get", "holiday", "-o", target, "--json"], { prefix: taker.prefix });
    await eventOf(child, "piece", 10_000);
    assertEquals((await child.exit(20_000)).code, 0, child.text());
    const sameBytes = Deno.readFileSync(join(target, "Holiday"));
    assertEquals(sameBytes, Deno.readFileSync(join(payload.directory, payload.name)));
  },
);

testOn(
  [networkNamespaces],
  "get --list shows what two machines share, one line for each, and the same data once",
  async () => {
    await using scene = await Scene.open();
    const lan = await Lan.open(scene);
    const [a, b, taker] = [await lan.addHost(), await lan.addHost(), await lan.addHost()];
    const [{ infoHash }] = await Promise.all([shareOn(scene, a), shareOn(scene, b)]);
    await shareOn(scene, b, ["--name", "other"]);
    // Multicast DNS says a record once a second at most, so a share that has just begun may miss one look.
    let count = 0;
    let addresses: (string | undefined)[] | undefined;
    for (let looks = 0; looks < 5 && (count !== 2 || addresses?.length !== 2); looks++) {
      const { code, stdout, stderr } = await runLocalbt(scene, ["get", "--json"], { prefix: taker.prefix });
      assertEquals(code, 0, stderr);
      const listed = JSON.parse(stdout) as { name: string; infoHash: string; sources: { addresses: string[] }[] }[];
      count = listed.length;
      addresses = listed.find((share) => share.infoHash === infoHash)?.sources.map(({ addresses }) => addresses[0]);
    }
    assertEquals(count, 2);
    assertEquals(addresses?.sort(), [a.address, b.address]);
  },
);

testOn([networkNamespaces], "a share that ends is gone from the list at once", async () => {
  await using scene = await Scene.open();
  const lan = await Lan.open(scene);
  const [giver, taker] = [await lan.addHost(), await lan.addHost()];
  const { child } = await shareOn(scene, giver);
  child.signal("SIGINT");
  assertEquals((await child.exit(4_000)).code, 130);
  const { code, stdout, stderr } = await runLocalbt(scene, ["get", "--list"], { prefix: taker.prefix });
  assertEquals([code, stdout], [0, ""]);
  assertStringIncludes(stderr, "nothing is shared on this network");
});

testOn(
  [networkNamespaces],
  "get says what to do when nothing of that name is there, and without a network",
  async () => {
    await using scene = await Scene.open();
    const lan = await Lan.open(scene);
    const host = await lan.addHost();
    const missing = await runLocalbt(scene, ["get", "holiday", "--timeout", "2s"], { prefix: host.prefix });
    assertEquals(missing.code, 5);
    assertStringIncludes(missing.stderr, "localbt get HOST");
    await host.run("ip", "link", "del", "eth0");
    const alone = await runLocalbt(scene, ["get", "holiday"], { prefix: host.prefix });
    assertEquals(alone.code, 1);
    assertStringIncludes(alone.stderr, "this machine is in no network");
  },
);

for (const addressing of ["ipv6", "link-local"] as const) {
  testOn([networkNamespaces], `get NAME works with ${addressing} addresses alone`, async () => {
    await using scene = await Scene.open();
    const lan = await Lan.open(scene, { addressing });
    const [giver, taker] = [await lan.addHost(), await lan.addHost()];
    const { payload } = await shareOn(scene, giver);
    const target = scene.newFolder("target");
    const args = ["get", payload.name, "-o", target];
    const { code, stderr } = await runLocalbt(scene, args, { prefix: taker.prefix, deadlineMs: 30_000 });
    assertEquals(code, 0, stderr);
    assertHoldsPayload(payload, target);
  });
}

testOn([networkNamespaces, zeroconf], "python's zeroconf finds our share, and we find what it offers", async () => {
  await using scene = await Scene.open();
  const lan = await Lan.open(scene);
  const [giver, other] = [await lan.addHost(), await lan.addHost()];
  const { infoHash, payload } = await shareOn(scene, giver);
  const script = join(repositoryFolder, "tests", "interop", "zeroconf_share.py");
  const found = JSON.parse(await other.run("/usr/bin/python3", script, "browse", other.address));
  assertEquals([found.n, found.ih, found.addresses], [payload.name, infoHash, [giver.address]]);
  const offering = scene.start({
    name: "zeroconf",
    command: [...other.prefix, "/usr/bin/python3", script, "offer", other.address],
  });
  await offering.until("its readiness", () => offering.text("stdout").includes("ready") || undefined, 10_000);
  const { stdout } = await runLocalbt(scene, ["get", "--list", "--json"], { prefix: giver.prefix });
  const listed = JSON.parse(stdout) as { name: string; sources: { addresses: string[]; port: number }[] }[];
  const theirs = listed.find(({ name }) => name === "from python");
  assertEquals(theirs?.sources[0], { host: "snake", addresses: [other.address], port: 7777 } as unknown as never);
});

testOn([networkNamespaces], "get NAME --pin takes a share that nobody else can, on two machines", async () => {
  await using scene = await Scene.open();
  const lan = await Lan.open(scene);
  const giver = await lan.addHost();
  const { child, payload, infoHash } = await shareOn(scene, giver, ["--pin", "otter"]);
  const takers = [await lan.addHost(), await lan.addHost()];
  const listed = await runLocalbt(scene, ["get", "--list", "--json"], { prefix: takers[0].prefix });
  assertEquals(
    JSON.parse(listed.stdout).map((share: { name: string; pin: boolean; infoHash: null }) => {
      return [share.name, share.pin, share.infoHash];
    }),
    [[payload.name, true, null]],
  );
  await Promise.all(takers.map(async ({ prefix }) => {
    const target = scene.newFolder("target");
    const line = ["get", payload.name, "--pin", "otter", "-o", target];
    const { code, stderr } = await runLocalbt(scene, line, { prefix });
    assertEquals(code, 0, stderr);
    assertHoldsPayload(payload, target);
  }));
  // who has listened knows the info hash, but not the PIN: the sharer hangs up on him
  const stranger = await lan.addHost();
  const magnet = `magnet:?xt=urn:btih:${infoHash}&x.pe=${giver.address}:6881`;
  const line = ["download", magnet, "-o", scene.newFolder("stranger"), "--timeout", "3s"];
  assertEquals((await runLocalbt(scene, line, { prefix: stranger.prefix })).code, 5);
  child.signal("SIGINT");
  assertEquals((await child.exit(4_000)).code, 130);
});
