/**
 * What this machine allows: the work that no transfer can do without, each by itself, for one GiB.
 *
 * A seeder reads and sends, a downloader receives, hashes and writes; the sum of their CPU seconds is the floor that a
 * transfer's are to be held against, and half of it the least time that two cores take.
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import { bytesFrom } from "../interop/payload.ts";
import { join } from "../interop/path.ts";
import { type Contender, contest } from "./contest.ts";
import { receive, send } from "./loopback.ts";
import { Meter } from "./meter.ts";
import type { Row, Sample } from "./report.ts";
import { GiB, MiB, openBenchScene } from "./stage.ts";

const blocksPerGiB = GiB / (16 * 1024);
const partLength = MiB;

/** One row for each piece of work: CPU seconds for a GiB, and microseconds for a block of 16 KiB. */
export async function benchLimits({ rounds }: { rounds: number }): Promise<Row[]> {
  await using scene = await openBenchScene();
  const path = join(scene.newFolder("limits"), "file");
  const part = bytesFrom(1, partLength);
  const target = new Uint8Array(partLength);
  const works: Contender[] = [
    onThisThread("SHA-1, 1 MiB at a time", () => void createHash("sha1").update(part).digest()),
    onThisThread("copy, 16 KiB at a time", (at) => {
      for (let begin = 0; begin < partLength; begin += 16 * 1024) {
        target.set(part.subarray(begin, begin + 16 * 1024), (begin + at) % partLength);
      }
    }),
    inFile("write to a new file", path, "w", (descriptor, at) => fs.writeSync(descriptor, part, 0, partLength, at)),
    inFile("read it again", path, "r", (descriptor, at) => fs.readSync(descriptor, target, 0, partLength, at)),
    { name: "send over loopback", isOurs: true, run: () => overLoopback("receive", send) },
    { name: "receive over loopback", isOurs: true, run: () => overLoopback("send", receive) },
  ];
  return await contest({ part: "limits", rounds }, works);
}

function onThisThread(name: string, work: (at: number) => void): Contender {
  return {
    name,
    isOurs: true,
    run: () => {
      for (let at = 0; at < 64 * MiB; at += partLength) work(at); // compiled before the clock runs
      const startedAt = performance.now();
      for (let at = 0; at < GiB; at += partLength) work(at);
      return Promise.resolve(sampleOf((performance.now() - startedAt) / 1000));
    },
  };
}

function inFile(name: string, path: string, flags: string, work: (descriptor: number, at: number) => void): Contender {
  return {
    name,
    isOurs: true,
    run: () => {
      const descriptor = fs.openSync(path, flags);
      try {
        const startedAt = performance.now();
        for (let at = 0; at < GiB; at += partLength) work(descriptor, at);
        return Promise.resolve(sampleOf((performance.now() - startedAt) / 1000));
      } finally {
        fs.closeSync(descriptor);
      }
    },
  };
}

/** Our end does its half in this process, and its CPU time is what counts. */
async function overLoopback(
  otherEnd: "send" | "receive",
  ourEnd: (socket: Deno.Conn, length: number) => Promise<void>,
): Promise<Sample> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const script = new URL("./loopback.ts", import.meta.url).href;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", "--no-config", script, otherEnd, `${listener.addr.port}`, `${GiB}`],
    stdin: "null",
  }).spawn();
  const meter = new Meter(Deno.pid);
  try {
    const socket = await listener.accept();
    meter.mark();
    await ourEnd(socket, GiB);
    const { cpuSeconds } = meter.stop();
    socket.close();
    return sampleOf(cpuSeconds);
  } finally {
    meter.stop();
    await child.status;
  }
}

function sampleOf(seconds: number): Sample {
  return { seconds, rate: GiB / 1e6 / seconds, microsecondsPerBlock: seconds * 1e6 / blocksPerGiB };
}
