import { assertEquals } from "@std/assert";
import { refusalReasonsMax } from "../../lib/limits/transfer.ts";
import { Refusals } from "../../peer/refusals.ts";
import { TorrentStage } from "./scripted_peer.ts";
import { makeContent } from "./virtual_disk.ts";

Deno.test("Refusals counts by reason, numbers aside, and adds up", () => {
  const [one, other] = [new Refusals(), new Refusals()];
  one.count("a message of 4294967295 bytes");
  one.count("a message of 131073 bytes");
  other.count("a message of 7 bytes");
  other.count("no handshake came");
  assertEquals(Refusals.sum([one, other]), { "a message of N bytes": 3, "no handshake came": 1 });
});

Deno.test("Refusals keeps no more reasons than its bound, and no long ones", () => {
  const refusals = new Refusals();
  for (let i = 0; i < 3 * refusalReasonsMax; i++) refusals.count("x".repeat(i));
  const sum = Refusals.sum([refusals]);
  assertEquals(Object.keys(sum).length <= refusalReasonsMax + 1, true);
  assertEquals(Object.values(sum).reduce((a, b) => a + b), 3 * refusalReasonsMax);
  assertEquals(Object.keys(sum).every((reason) => reason.length <= 64), true);
});

Deno.test("Torrent counts whom it closes for a reason, not whom it parts from", () => {
  const stage = new TorrentStage(makeContent({ totalLength: 400_000, pieceLength: 50_000 }));
  stage.join().say((out) => out.piece(4, 99));
  stage.join().leave();
  stage.join();
  stage.apply({ kind: "stop" });
  assertEquals(Refusals.sum([stage.torrent.view.refusals]), { "piece N of N": 1 });
});
