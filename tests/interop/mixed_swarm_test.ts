import { aria2 } from "./aria2.ts";
import type { Client } from "./client.ts";
import { interopTest } from "./installed.ts";
import { Lan, networkNamespaces } from "./lan.ts";
import { libtorrent } from "./libtorrent.ts";
import { localbt, startTracker } from "./localbt.ts";
import type { PayloadKind } from "./payload.ts";
import { Scene } from "./scene.ts";
import { inputs, makeShare, transferByTracker } from "./transfers.ts";
import { transmission } from "./transmission.ts";

const everyone: readonly Client[] = [localbt, aria2, transmission, libtorrent];

/** Each on a host of its own; the seeder is slow enough that the downloaders have to trade. */
async function runSwarm(seeder: Client, kind: PayloadKind): Promise<void> {
  await using scene = await Scene.open();
  const lan = await Lan.open(scene);
  const { announceUrl } = await startTracker(scene, await lan.addHost());
  const share = await makeShare(scene, kind, announceUrl);
  const from = { client: seeder, host: await lan.addHost(), uploadLimit: Math.ceil(share.payload.totalLength / 3) };
  const to = [];
  for (const client of everyone.filter((other) => other !== seeder)) to.push({ client, host: await lan.addHost() });
  await transferByTracker(scene, share, from, to);
}

const needs = [aria2, transmission, libtorrent, networkNamespaces];

for (const kind of inputs) {
  interopTest(`a mixed swarm gets ${kind.label} from our seeder`, needs, () => runSwarm(localbt, kind));
}
for (const seeder of [libtorrent, aria2, transmission]) {
  const kind = inputs[2];
  if (kind === undefined) throw new Error("there is no third input");
  interopTest(`a mixed swarm with us gets ${kind.label} from ${seeder.name}`, needs, () => runSwarm(seeder, kind));
}
