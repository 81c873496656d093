/**
 * `deno task bench [part…] [--json] [--rounds N] [--small]`: what the program costs, beside its rivals on this machine.
 *
 * Parts: start, create, verify, transfer, swarm, peers, large; all of them without a name. LOCALBT_BIN names the binary to
 * measure; without it the source is. Data lies in /dev/shm; nothing is measured by more than one process that works.
 */
import { parseArgs } from "@std/cli/parse-args";
import { localbtCommand } from "../interop/localbt.ts";
import { benchCreate, benchStart, benchVerify } from "./file_part.ts";
import { benchPeers } from "./peers_part.ts";
import { formatRows, type Row } from "./report.ts";
import { MiB } from "./stage.ts";
import { benchSwarm } from "./swarm_part.ts";
import { benchLarge, benchTransfer } from "./transfer_part.ts";

const options = parseArgs(Deno.args, { boolean: ["json", "small"], string: ["rounds"] });
const scale = options.small ? 1 / 8 : 1;
const GiB = 1024 * MiB;

function rounds(standard: number): number {
  return Number(options.rounds ?? standard);
}

const parts: Readonly<Record<string, { title: string; run(): Promise<Row[]> }>> = {
  start: { title: "say the version", run: () => benchStart({ rounds: rounds(9) }) },
  create: {
    title: "create, 2 GiB, 1 MiB pieces",
    run: () => benchCreate({ rounds: rounds(3), length: 2 * GiB * scale }),
  },
  verify: {
    title: "verify, 2 GiB, 1 MiB pieces",
    run: () => benchVerify({ rounds: rounds(3), length: 2 * GiB * scale }),
  },
  transfer: {
    title: "one seeder to one downloader, 2 GiB, 1 MiB pieces (rate in MB/s)",
    run: () => benchTransfer({ rounds: rounds(3), length: 2 * GiB * scale }),
  },
  swarm: {
    title: "our seeder at 20 MB/s and 4 downloaders, 256 MiB, 256 KiB pieces",
    run: () => benchSwarm({ rounds: rounds(1), length: 256 * MiB * scale }),
  },
  peers: {
    title: "500 peers on one seeder, 1 MiB each",
    run: () => benchPeers({ peerCount: 500 * (options.small ? 0.2 : 1), length: 64 * MiB }),
  },
  large: { title: "a torrent of 6 GiB", run: () => benchLarge({ length: 6 * GiB * scale }) },
};

const names = options._.length > 0 ? options._.map(String) : Object.keys(parts);
const rows: Row[] = [];
if (!options.json) {
  console.log(`measured: ${localbtCommand()[0]}${Deno.env.get("LOCALBT_BIN") ? "" : " (from source)"}`);
}
for (const name of names) {
  const part = parts[name];
  if (part === undefined) {
    console.error(`bench: there is no part "${name}"; there are ${Object.keys(parts).join(", ")}`);
    Deno.exit(2);
  }
  const measured = await part.run();
  rows.push(...measured);
  if (!options.json) console.log(`\n${part.title}\n${formatRows(measured)}`);
}
if (options.json) console.log(JSON.stringify(rows, undefined, 2));
if (rows.some((row) => row.goal?.reached === false)) Deno.exit(1);
