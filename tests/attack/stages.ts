/** Every stage there is, by the name that attacks call it by. */
import type { Scene } from "../interop/scene.ts";
import type { Span, Stage } from "./attack.ts";
import { DownloadStage, SeedStage } from "./peer_stages.ts";

export const stages: Readonly<Record<string, (scene: Scene, span: Span) => Promise<Stage>>> = {
  /** `seed` is the victim, an honest `download` takes from it. */
  seed: (scene, span) => SeedStage.open(scene, span),
  /** `download` is the victim, an honest `seed` gives to it. */
  download: (scene, span) => DownloadStage.open(scene, span),
};
