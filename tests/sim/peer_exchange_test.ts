import { assertEquals, assertLess } from "@std/assert";
import { ownExtensionIds } from "../../lib/wire/extended.ts";
import { decodePexMessage } from "../../lib/wire/ut_pex.ts";
import { VirtualSwarm } from "../peer/torrent_harness.ts";
import { makeContent } from "../peer/virtual_disk.ts";

const content = makeContent({ totalLength: 16 * 2 ** 20, pieceLength: 128 * 1024 });
const bytesPerSecond = 4 * 2 ** 20;
const receiverCount = 8;

Deno.test("swarm: peers that know one address only meet by peer exchange, and share what they have", () => {
  const swarm = new VirtualSwarm(content, { seed: 3 });
  const source = swarm.seed({ uplink: bytesPerSecond });
  for (let i = 0; i < receiverCount; i++) swarm.introduce(swarm.join({ uplink: bytesPerSecond }), [source]);
  const toldOfThemselves: string[] = [];
  swarm.tap = (_from, to, message) => {
    if (message.kind !== "extended" || message.id !== ownExtensionIds.ut_pex) return;
    const hosts = decodePexMessage(message.payload).added.map(({ endpoint }) => endpoint.host);
    if (hosts.includes(to.endpoint.host)) toldOfThemselves.push(to.name);
  };
  const startedAt = swarm.now;
  swarm.runUntilAllHave();
  const once = content.bytes.length / bytesPerSecond;
  assertEquals(toldOfThemselves, []);
  // all together could be done in `once`; from the source alone it would take 8 times that
  assertLess((swarm.now - startedAt) / 1000, 2 * once + 2);
});
