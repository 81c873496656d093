/** Every stage there is, by the name that attacks call it by. */
import type { Scene } from "../interop/scene.ts";
import type { Span, Stage } from "./attack.ts";
import { DownloadStage, SeedStage } from "./peer_stages.ts";
import { ShareStage, TrackerStage } from "./tracker_stages.ts";

export const stages: Readonly<Record<string, (scene: Scene, span: Span) => Promise<Stage>>> = {
  /** `seed` is the victim, an honest `download` takes from it. */
  seed: (scene, span) => SeedStage.open(scene, span),
  /** `download` is the victim, an honest `seed` gives to it. */
  download: (scene, span) => DownloadStage.open(scene, span),
  /** `tracker` is the victim, thirty honest peers announce to it. */
  tracker: (scene) => TrackerStage.open(scene),
  /** The same on a LAN, on which the attacker has a network of addresses. */
  "tracker on a LAN": (scene) => TrackerStage.open(scene, { isOnLan: true }),
  /** `share` is the victim: its tracker and its pages, and one who takes it. */
  share: (scene) => ShareStage.open(scene),
  "share on a LAN": (scene) => ShareStage.open(scene, { isOnLan: true }),
};
