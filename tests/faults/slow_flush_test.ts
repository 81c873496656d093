/** A disk that needs long for what memory took at once: what is said, and what Ctrl-C does meanwhile. */
import { assert, assertEquals } from "@std/assert";
import { makeShare, seedShare, startDownload } from "../e2e/swarm.ts";
import { eventsOf, startLocalbt } from "../interop/localbt.ts";
import { assertHoldsPayload, singleFile } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";
import { mayTrace } from "./crash/call_kills.ts";

/** Every flush of data takes so long: microseconds. */
const delay = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=60000000"];

Deno.test({
  name:
    "a download is done when the disk has it: until then it says what it waits for, and Ctrl-C leaves it to be continued",
  ignore: !mayTrace,
  async fn() {
    await using scene = await Scene.open();
    const share = makeShare(scene, singleFile(300_000, 32_768));
    const { endpoint } = await seedShare(scene, share);
    const target = scene.newFolder("target");
    const args = ["download", share.torrent, "-o", target, "--port", "0", "--peer", endpoint, "--json"];
    const prefix = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", ...delay];
    const slow = startLocalbt(scene, args, { prefix });
    await slow.line(/verified; waiting until the disk has written it/, 30_000);
    assertEquals(eventsOf(slow, "done"), []);
    const [traced] = (await Deno.readTextFile(`/proc/${slow.pid}/task/${slow.pid}/children`)).split(" ");
    Deno.kill(Number(traced), "SIGINT");
    await slow.line(/stopped; the same command goes on from here/, 10_000);
    assertEquals(eventsOf(slow, "done"), []);
    Deno.kill(Number(traced), "SIGKILL"); // strace would hold its threads for the whole delay
    slow.signal("SIGKILL");
    await slow.exit(10_000);
    const again = startDownload(scene, share.torrent, target, ["--peer", endpoint]);
    assertEquals((await again.exit(30_000)).code, 0, again.text());
    assert(Number(eventsOf(again, "done")[0]?.downloadedBytes) === 0, "nothing is fetched again");
    assertHoldsPayload(share.payload, target);
  },
});
