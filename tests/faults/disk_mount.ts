/** Small disks of a test, mounted below its folder and gone with it: needs root on Linux. */
import { join } from "../interop/path.ts";
import type { Scene } from "../interop/scene.ts";

/** Whether this process may mount. */
export const mayMount = Deno.build.os === "linux" && Deno.uid() === 0 && canMount();

function canMount(): boolean {
  const folder = Deno.makeTempDirSync({ prefix: "localbt-mount-" });
  try {
    const args = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder];
    const isMounted = new Deno.Command("mount", { args, stderr: "null" }).outputSync().success;
    if (isMounted) new Deno.Command("umount", { args: [folder] }).outputSync();
    return isMounted;
  } catch {
    return false;
  } finally {
    Deno.removeSync(folder);
  }
}

/** Runs a program that has to succeed. */
export async function run(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, stdout: "null", stderr: "piped" }).output();
  if (!success) throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** A disk in memory; returns its folder. */
export async function mountTmpfs(scene: Scene, bytes: number): Promise<string> {
  const folder = scene.newFolder("tmpfs");
  await run("mount", "-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", folder);
  scene.atEnd(() => run("umount", "-l", folder));
  return folder;
}

/** Fills the disk to its last byte with a file; returns its path. */
export function fillDisk(folder: string): string {
  const path = join(folder, "filler");
  using file = Deno.openSync(path, { write: true, create: true });
  for (let length = 1 << 20; length >= 1; length >>= 1) {
    try {
      for (;;) if (file.writeSync(new Uint8Array(length)) === 0) break;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
    }
  }
  return path;
}

/** Whether there are what `PullableDisk` needs: a loop device, ext4, and the right to make both. */
export const mayPullDisks = mayMount && ["mkfs.ext4", "losetup"].every(isInstalled) && hasLoop();

function isInstalled(program: string): boolean {
  return ["/sbin", "/usr/sbin", "/bin", "/usr/bin"].some((folder) => exists(join(folder, program)));
}

function hasLoop(): boolean {
  return new Deno.Command("losetup", { args: ["-f"], stdout: "null", stderr: "null" }).outputSync().success;
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** EXT4_IOC_SHUTDOWN: `_IOR('X', 125, __u32)`, and its flag for "at once, and keep nothing that is not on the disk". */
const shutDownRequest = 0x8004587dn;
const withoutFlush = 2;

/** An ext4 file system on a loop device, which can be made to fail as a disk does that is pulled out. */
export class PullableDisk {
  readonly folder: string;
  /** What the disk holds; a copy of it each time that it is plugged in. */
  #image: string;

  private constructor(folder: string, image: string) {
    this.folder = folder;
    this.#image = image;
  }

  static async mount(scene: Scene): Promise<PullableDisk> {
    const folder = scene.newFolder("disk");
    const image = join(scene.newFolder("image"), "ext4");
    Deno.writeFileSync(image, new Uint8Array());
    Deno.truncateSync(image, 16 << 20);
    await run("mkfs.ext4", "-q", image);
    const disk = new PullableDisk(folder, image);
    await disk.#mount();
    scene.atEnd(() => run("umount", "-l", folder));
    return disk;
  }

  /** Every access fails from now on; what the programs have open stays open. */
  pull(): void {
    const libc = Deno.dlopen("libc.so.6", {
      open: { parameters: ["buffer", "i32"], result: "i32" },
      ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
      close: { parameters: ["i32"], result: "i32" },
    });
    try {
      const descriptor = libc.symbols.open(new TextEncoder().encode(`${this.folder}\0`), 0);
      const failed = libc.symbols.ioctl(descriptor, shutDownRequest, new Uint32Array([withoutFlush]));
      libc.symbols.close(descriptor);
      if (failed !== 0) throw new Error("the file system was not shut down");
    } finally {
      libc.close();
    }
  }

  /** The disk is there again, as it was last written: not the same one, which namespaces of other tests may still hold. */
  async plugIn(): Promise<void> {
    await run("umount", "-l", this.folder);
    const copy = `${this.#image}+`;
    Deno.copyFileSync(this.#image, copy);
    this.#image = copy;
    await this.#mount();
  }

  #mount(): Promise<void> {
    return run("mount", "-o", "loop", this.#image, this.folder);
  }
}
