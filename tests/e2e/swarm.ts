/** Ours with ours: the small swarms that the end-to-end tests are made of. */
import { assertEquals } from "@std/assert";
import type { Child } from "../interop/child.ts";
import { freePort } from "../interop/free_port.ts";
import { eventOf, type RunOptions, startLocalbt } from "../interop/localbt.ts";
import { assertHoldsPayload, type Payload, type PayloadKind, writePayload } from "../interop/payload.ts";
import { join } from "../interop/path.ts";
import { type ReferenceTorrent, referenceTorrent } from "../interop/reference_torrent.ts";
import type { Scene } from "../interop/scene.ts";

/** Data on disk and its torrent. */
export interface Share extends ReferenceTorrent {
  readonly payload: Payload;
  /** Path of the .torrent file. */
  readonly torrent: string;
}

/** Writes a payload and its torrent. */
export function makeShare(scene: Scene, kind: PayloadKind, announce: readonly string[] = []): Share {
  const payload = writePayload(kind, scene.newFolder("data"));
  const reference = referenceTorrent(payload, announce);
  const torrent = join(scene.newFolder("torrent"), `${payload.name}.torrent`);
  Deno.writeFileSync(torrent, reference.bytes);
  return { ...reference, payload, torrent };
}

/** A running seeder of ours and where it accepts peers. */
export interface Seeder {
  readonly child: Child;
  readonly endpoint: string;
}

/** Starts `seed` and waits until it is ready. */
export async function startSeeder(
  scene: Scene,
  share: { torrent: string; directory: string },
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<Seeder> {
  const port = freePort();
  const line = ["seed", share.torrent, "--data", share.directory, "--port", String(port), "--json", ...args];
  const child = startLocalbt(scene, line, options);
  await eventOf(child, "ready", 20_000);
  return { child, endpoint: `127.0.0.1:${port}` };
}

/** Starts a seeder of the whole share. */
export function seedShare(scene: Scene, share: Share, args: readonly string[] = []): Promise<Seeder> {
  return startSeeder(scene, { torrent: share.torrent, directory: share.payload.directory }, args);
}

/** Starts `download` with events. */
export function startDownload(scene: Scene, torrent: string, target: string, args: readonly string[] = []): Child {
  return startLocalbt(scene, ["download", torrent, "--output", target, "--port", "0", "--json", ...args]);
}

/** Waits for the end of a download that has to succeed, and compares what it wrote. */
export async function expectDone(
  download: Child,
  payload: Payload,
  target: string,
  deadlineMs = 30_000,
): Promise<void> {
  const { code } = await download.exit(deadlineMs);
  if (code !== 0) throw download.failure("did not finish the download");
  assertHoldsPayload(payload, target);
}

/** Ends a child by Ctrl-C and expects the exit code for it. */
export async function interrupt(child: Child): Promise<void> {
  child.signal("SIGINT");
  assertEquals((await child.exit(3_500)).code, 130, child.text());
}
