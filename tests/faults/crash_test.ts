/** The task `crash` in small: CI runs the whole. */
import { assertEquals } from "@std/assert";
import { Scene } from "../interop/scene.ts";
import { crash } from "./crash/crash.ts";

Deno.test("a program that is killed again and again fetches nothing again that was stored, and ends right", async () => {
  await using scene = await Scene.open();
  const { story, side } = await crash(scene, { killCount: 12, seed: 1 });
  assertEquals(story.killCount, 12);
  for (const [what, kills] of side) assertEquals(kills > 0, true, what);
});
