import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { allReaders, readersIn } from "./reach.ts";

const root = new URL("../../", import.meta.url);

/** Readers of bytes or text that are not fuzzed, and where what they are given comes from. */
const notForeign: Readonly<Record<string, string>> = {
  "lib/local_addresses.ts hostFacing": "addresses of this machine and of sockets",
  "lib/multicast_links.ts multicastLinks": "addresses of this machine",
  "lib/wire/allowed_fast.ts allowedFastPieces": "the address of a socket",
  "lib/wire/batch_memory.ts give": "memory of ours",
  "lib/wire/message_writer.ts bytes": "bytes of ours",
  "lib/wire/message_writer.ts recycle": "memory of ours",
  "lib/cli/args.ts text": "what the user types",
  "lib/cli/args.ts nearestName": "what the user types",
  "lib/cli/menu.ts runMenu": "what the user types",
  "lib/cli/text.ts parseSize": "what the user types",
  "lib/cli/text.ts parseRate": "what the user types",
  "lib/cli/text.ts parseDuration": "what the user types",
  "peer/admission.ts chooseToGiveWay": "the address of a socket",
  "peer/announcer.ts failed": "our own words",
  "peer/client.ts route": "an info hash that lib/wire/handshake.ts made",
  "peer/downloader.ts deliver": "blocks that peer/web_run.ts and web_stream.ts cut",
  "peer/file_selection.ts of": "what the user types",
  "peer/path_pattern.ts matches": "names that lib/file_path.ts made, or of our own files",
  "peer/metadata_assembly.ts liars": "metadata whose hash was right",
  "peer/peer_roster.ts closeAll": "our own words",
  "peer/pin_gate.ts giveBack": "the address of a socket",
  "peer/resume.ts isNameOfOurs": "names of files beside the download, compared and not kept",
  "peer/resume.ts resumeFileName": "names that lib/file_path.ts made",
  "peer/resume.ts lockFileName": "names that lib/file_path.ts made",
  "peer/web_seeds.ts blame": "our own words",
};

/** What is called when every target is fed some inputs, as names of readers have it. */
async function called(): Promise<Set<string>> {
  const folder = await Deno.makeTempDir({ prefix: "localbt-reach-" });
  try {
    // the @std modules come from where this test has them
    const isDetour = import.meta.resolve("@std/assert").startsWith("file:");
    const map = isDetour ? [`--import-map=${fileURLToPath(new URL("scripts/std_npm.json", root))}`] : [];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--quiet", `--coverage=${folder}`, ...map, "tests/fuzz/reach.ts"],
      cwd: fileURLToPath(root),
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return namesIn(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What the runtime notes of one module. */
interface Coverage {
  readonly url: string;
  readonly functions: readonly {
    readonly functionName: string;
    readonly ranges: readonly { readonly count: number }[];
  }[];
}

function namesIn(folder: string): Set<string> {
  const names = new Set<string>();
  for (const { name } of Deno.readDirSync(folder)) {
    if (!name.endsWith(".json")) continue;
    const { url, functions }: Coverage = JSON.parse(Deno.readTextFileSync(`${folder}/${name}`));
    if (!url.startsWith(root.href)) continue;
    for (const { functionName, ranges } of functions) {
      if (ranges[0].count > 0) names.add(`${url.slice(root.href.length)} ${functionName}`);
    }
  }
  return names;
}

Deno.test("every function of lib and peer that takes bytes or text is reached by a fuzz target, or said to read nothing foreign", async () => {
  const readers = new Set(allReaders().map(({ name }) => name));
  const reached = await called();
  const missed = [...readers].filter((name) => !reached.has(name) && !(name in notForeign));
  assertEquals(missed, [], "give them a target in tests/fuzz/targets, or say in this file what they read");
  assertEquals(Object.keys(notForeign).filter((name) => !readers.has(name)), [], "there is no such function any more");
});

Deno.test("readersIn() finds exported functions and methods that take bytes or text, and no others", () => {
  const source = `
export function parseThing(text: string): Thing | undefined {
}
export async function readThing(
  { bytes }: { bytes: Uint8Array },
): Promise<void> {
}
export function encodeThing(text: string): Bytes {
}
function inner(text: string): void {
}
export function count(a: number, b: Map<number, number>): string {
}
export class Reader {
  constructor(text: string) {
  }
  static decode(payload: Uint8Array): Reader {
  }
  push(bytes: Bytes, sink: (part: number) => void): void {
    if (bytes.length > 0) {
      sink(bytes.length);
    }
  }
  #hidden(text: string): void {
  }
}
class Inner {
  read(text: string): void {
  }
}
`;
  const names = readersIn("x.ts", source).map(({ name }) => name);
  assertEquals(names, ["x.ts parseThing", "x.ts readThing", "x.ts decode", "x.ts push"]);
});
