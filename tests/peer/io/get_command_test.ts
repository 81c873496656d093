import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UserError } from "../../../lib/errors.ts";
import { buildTorrent } from "../../../lib/torrent_builder.ts";
import { askForShare, formatShares, tellShares } from "../../../peer/io/share_choice.ts";
import { getCommand } from "../../../peer/io/get_command.ts";
import type { FoundShare } from "../../../peer/found_share.ts";
import { parseInfoHash } from "../../../lib/ids.ts";
import { makeContext } from "../../cli/test_context.ts";

const evil = "\x1b[2J\x1b]0;owned\x07../../etc/\u202epasswd\n1. other";

function found(name: string, pinned = false): FoundShare {
  return {
    name,
    infoHash: pinned ? undefined : parseInfoHash("ab".repeat(20))!,
    totalLength: 30_000_000,
    fileCount: 2,
    sources: [{ hostName: "laptop", hosts: ["10.0.0.5"], port: 6969, peerPort: 6881, index: 0 }],
  };
}

/** A machine that answers `get` as it likes. */
async function withImpostor(
  answers: Record<string, string | Uint8Array<ArrayBuffer>>,
  run: (address: string) => Promise<void>,
): Promise<void> {
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const answer = answers[new URL(request.url).pathname];
    return answer === undefined ? new Response("no", { status: 404 }) : new Response(answer);
  });
  await run(`127.0.0.1:${server.addr.port}`);
}

const listing = (shares: unknown[], more = {}) =>
  JSON.stringify({ localbt: 1, host: "h", peerPort: 6881, shares, ...more });

Deno.test("get refuses a torrent that is not the one that was listed", async () => {
  const pieces = new Uint8Array(20);
  const { bytes } = buildTorrent({
    name: "x",
    files: [{ path: [], length: 5 }],
    isMultiFile: false,
    pieceLength: 16384,
    pieces,
  });
  const infoHash = "cd".repeat(20);
  const shares = [{ name: "x", totalLength: 5, fileCount: 1, infoHash }];
  await withImpostor({ "/shares.json": listing(shares), [`/${infoHash}.torrent`]: bytes }, async (address) => {
    const error = await assertRejects(
      () => getCommand.run(makeContext(), [address]),
      UserError,
      "not the one that was announced",
    );
    assertEquals(error.exitCode, 3);
  });
  await withImpostor({ "/shares.json": listing(shares), [`/${infoHash}.torrent`]: "x" }, async (address) => {
    await assertRejects(() => getCommand.run(makeContext(), [address]), UserError, "not a torrent");
  });
  await withImpostor({ "/shares.json": listing(shares) }, async (address) => {
    await assertRejects(() => getCommand.run(makeContext(), [address]), UserError, "not there any more");
  });
});

Deno.test("get takes no list that is broken, endless or of nothing", async () => {
  for (
    const document of ["", "{}", "<html>", listing([{}]), listing([], { peerPort: 0 }), `${" ".repeat(300_000)}{}`]
  ) {
    await withImpostor({ "/shares.json": document }, async (address) => {
      await assertRejects(() => getCommand.run(makeContext(), [address]), UserError, "cannot get from");
    });
  }
  await withImpostor({ "/shares.json": listing([]) }, async (address) => {
    await assertRejects(() => getCommand.run(makeContext(), [address]), UserError, "nothing is shared there");
  });
});

Deno.test("names from the network are printed without controls, in lists, questions, JSON and errors", async () => {
  const infoHash = "cd".repeat(20);
  const share = { name: evil, totalLength: 5, fileCount: 1, infoHash };
  await withImpostor({ "/shares.json": listing([share, share], { host: evil }) }, async (address) => {
    for (const args of [["--list"], []]) {
      const context = makeContext();
      const error = await getCommand.run(context, [...args, address]).then(() => undefined, (error) => error);
      assertPlain(context.stdout() + context.stderr() + (error?.message ?? "") + (error?.hint ?? ""), 4);
    }
    const json = makeContext({ json: true });
    await getCommand.run(json, ["--list", address]);
    assertPlain(JSON.parse(json.stdout())[0].name, 1);
  });
  const asked = makeContext({ input: ["q"] });
  await askForShare(asked, [found(evil), found(evil)]);
  assertPlain(asked.stderr(), 4);
});

/** @param linesMax lines that we print ourselves */
function assertPlain(text: string, linesMax: number): void {
  // deno-lint-ignore no-control-regex -- these are what must not be there
  assert(!/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/.test(text), JSON.stringify(text));
  assert(text.split("\n").length <= linesMax + 1, JSON.stringify(text));
}

Deno.test("formatShares() lines up names, sizes and machines, and tells of PINs", () => {
  assertEquals(formatShares([found("holiday"), found("größe 大", true)]), [
    "holiday   28.6 MiB  from laptop (10.0.0.5)",
    "größe 大  28.6 MiB  from laptop (10.0.0.5)  (needs a PIN)",
  ]);
});

Deno.test("askForShare() takes a number; Enter takes the only one, and q none", async () => {
  const two = [found("a"), found("b")];
  const choose = async (input: string[], shares = two) => (await askForShare(makeContext({ input }), shares))?.name;
  assertEquals(await choose(["2"]), "b");
  assertEquals(await choose(["", "0", "3", "b", "1.0", "1"]), "a");
  assertEquals(await choose([""], [found("only")]), "only");
  assertEquals(await choose(["y"], [found("only")]), "only");
  for (const end of [["q"], [], ["no"]]) assertEquals(await choose(end), undefined);
});

Deno.test("tellShares() prints one JSON document", () => {
  const context = makeContext({ json: true });
  tellShares(context, [found("holiday"), found("secret", true)]);
  const [open, pinned] = JSON.parse(context.stdout());
  assertEquals([open.pin, pinned.pin, pinned.infoHash], [false, true, null]);
  assertEquals(open.sources, [{ host: "laptop", addresses: ["10.0.0.5"], port: 6969 }]);
});

Deno.test("get says what is wrong with its arguments", async () => {
  const wrong = async (...args: string[]) => {
    const error = await assertRejects(() => getCommand.run(makeContext(), args), UserError);
    assertEquals(error.exitCode, 2, error.message);
    return error.message;
  };
  assertStringIncludes(await wrong("ftp://x/"), "neither a name nor an address");
  assertStringIncludes(await wrong("holiday", "other"), 'does not take "other"');
  assertStringIncludes(await wrong("--no-discovery", "holiday"), "needs the address");
});
