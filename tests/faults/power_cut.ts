/**
 * A disk whose power can be cut: an ext4 file system in an image, of which a copy holds what a real disk would hold at
 * that moment; what the system still kept in memory is not in it. Needs root on Linux, mkfs.ext4 and loop devices.
 */
import { join } from "../interop/path.ts";
import type { Scene } from "../interop/scene.ts";
import { mayMount, run } from "./disk_mount.ts";

/** Whether there can be such disks here. */
export const mayCutPower = mayMount && await canLoop();

const parent = await Deno.stat("/dev/shm").then(() => "/dev/shm", () => undefined);

async function canLoop(): Promise<boolean> {
  const folder = await Deno.makeTempDir({ prefix: "localbt-loop-" });
  try {
    const image = join(folder, "image");
    await makeImage(image, 8 << 20);
    await run("mount", "-o", "loop", image, folder);
    await run("umount", folder);
    return true;
  } catch {
    return false;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function makeImage(path: string, bytes: number): Promise<void> {
  await Deno.writeFile(path, new Uint8Array(0));
  await Deno.truncate(path, bytes);
  // All that is written in the background later would disturb the copies.
  await run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", path);
}

export class PowerCutDisk {
  /** Where it is mounted; the same after each cut. */
  readonly folder: string;
  readonly #images: string;
  #imageCount = 0;

  private constructor(folder: string, images: string) {
    this.folder = folder;
    this.#images = images;
  }

  static async make(scene: Scene, bytes: number): Promise<PowerCutDisk> {
    const images = await Deno.makeTempDir({ prefix: "localbt-power-", ...(parent ? { dir: parent } : {}) });
    const disk = new PowerCutDisk(scene.newFolder("disk"), images);
    await makeImage(disk.#image, bytes);
    await disk.#mount();
    scene.atEnd(async () => {
      await run("umount", disk.folder);
      await Deno.remove(images, { recursive: true });
    });
    return disk;
  }

  /** The power goes and comes back: what was not on the disk itself is lost. Nobody may have a file open on it. */
  async cut(): Promise<void> {
    const before = this.#image;
    this.#imageCount++;
    for (let changedAt = -1; changedAt !== await changeOf(before);) {
      changedAt = await changeOf(before);
      await Deno.copyFile(before, this.#image); // again, should something have been written meanwhile
    }
    await run("umount", this.folder);
    await Deno.remove(before);
    await this.#mount();
  }

  get #image(): string {
    return join(this.#images, `image-${this.#imageCount}`);
  }

  async #mount(): Promise<void> {
    await run("mount", "-o", "loop", this.#image, this.folder);
    await Deno.remove(join(this.folder, "lost+found"), { recursive: true }).catch(() => {});
  }
}

async function changeOf(path: string): Promise<number> {
  return (await Deno.stat(path)).mtime?.getTime() ?? 0;
}
