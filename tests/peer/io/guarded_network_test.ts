import { assertEquals, assertRejects } from "@std/assert";
import { guardNetwork } from "../../../peer/io/guarded_network.ts";
import { makeContext } from "../../cli/test_context.ts";

Deno.test("guardNetwork() hangs up on strangers, lets the known in, and dials the known alone", async () => {
  const { network } = makeContext();
  const known = new Set<string>();
  const guarded = guardNetwork(network, (host) => known.has(host));
  const listener = guarded.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  await assertRejects(() => guarded.connect({ hostname: "127.0.0.1", port }), Deno.errors.ConnectionRefused);
  const accepted = listener.accept();
  const stranger = await network.connect({ hostname: "127.0.0.1", port });
  assertEquals(await stranger.read(new Uint8Array(1)), null);
  known.add("127.0.0.1");
  const friend = await guarded.connect({ hostname: "127.0.0.1", port });
  const socket = await accepted;
  await socket.write(new Uint8Array([7]));
  assertEquals(await friend.read(new Uint8Array(1)), 1);
  for (const each of [stranger, friend, socket]) each.close();
  listener.close();
  await assertRejects(() => listener.accept());
});
