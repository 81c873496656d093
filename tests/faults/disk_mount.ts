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
  scene.atEnd(() => run("umount", folder));
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
