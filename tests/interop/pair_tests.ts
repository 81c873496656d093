/** The tests that each foreign client gets, registered by its own test file. */
import type { Client } from "./client.ts";
import { interopTest } from "./installed.ts";
import { Lan, networkNamespaces } from "./lan.ts";
import { localbt, startTracker } from "./localbt.ts";
import { singleFile } from "./payload.ts";
import { Scene } from "./scene.ts";
import { inputs, makeShare, transferByTracker, transferDirectly, transferInTwoParts } from "./transfers.ts";

/** Registers everything that a foreign client and ours do together. */
export function testPair(client: Client): void {
  for (const kind of inputs) {
    interopTest(`${client.name} downloads ${kind.label} from our seeder`, [client], async () => {
      await using scene = await Scene.open();
      await transferDirectly(scene, await makeShare(scene, kind), localbt, client);
    });
    interopTest(`our downloader fetches ${kind.label} from ${client.name}`, [client], async () => {
      await using scene = await Scene.open();
      await transferDirectly(scene, await makeShare(scene, kind), client, localbt);
    });
  }
  testIntroduction(client);
  const kind = singleFile(16 * 2 ** 20, 128 * 1024, 4);
  interopTest(`${client.name} resumes what our downloader began`, [client], async () => {
    await using scene = await Scene.open();
    await transferInTwoParts(scene, await makeShare(scene, kind), localbt, client);
  });
  interopTest(`our downloader resumes what ${client.name} began`, [client], async () => {
    await using scene = await Scene.open();
    await transferInTwoParts(scene, await makeShare(scene, kind), client, localbt);
  });
}

/** Our tracker brings the client together with ours, in both directions. */
function testIntroduction(client: Client): void {
  const needs = client.takesLoopbackPeers ? [client] : [client, networkNamespaces];
  const kind = singleFile(4 * 2 ** 20, 64 * 1024, 5);
  const run = async (order: (client: Client) => readonly [Client, Client]) => {
    await using scene = await Scene.open();
    const [from, to] = order(client);
    const lan = client.takesLoopbackPeers ? undefined : await Lan.open(scene);
    const [trackerHost, seederHost, downloaderHost] = [
      await lan?.addHost(),
      await lan?.addHost(),
      await lan?.addHost(),
    ];
    const { announceUrl } = await startTracker(scene, trackerHost);
    const share = await makeShare(scene, kind, announceUrl);
    await transferByTracker(
      scene,
      share,
      { client: from, ...(seederHost ? { host: seederHost } : {}) },
      [{ client: to, ...(downloaderHost ? { host: downloaderHost } : {}) }],
    );
  };
  interopTest(`our tracker leads ${client.name} to our seeder`, needs, () => run((foreign) => [localbt, foreign]));
  interopTest(`our tracker leads our downloader to ${client.name}`, needs, () => run((foreign) => [foreign, localbt]));
}
