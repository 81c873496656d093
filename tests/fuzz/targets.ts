/** Every target. That no reader of foreign bytes lacks one, reach_test.ts finds out. */
import type { FuzzTarget } from "./target.ts";
import * as announce from "./targets/announce.ts";
import { bencode } from "./targets/bencode.ts";
import * as http from "./targets/http.ts";
import * as localNetwork from "./targets/local_network.ts";
import * as ownFiles from "./targets/own_files.ts";
import * as peers from "./targets/peers.ts";
import * as pin from "./targets/pin.ts";
import * as texts from "./targets/texts.ts";
import { filePath, infoSection, metainfo } from "./targets/torrent_files.ts";
import * as wire from "./targets/wire.ts";

export const targets: readonly FuzzTarget[] = [
  bencode,
  metainfo,
  infoSection,
  filePath,
  ...Object.values(texts),
  ...Object.values(announce),
  ...wire.wireTargets,
  ...Object.values(peers),
  ...Object.values(http),
  ...Object.values(localNetwork),
  ...Object.values(ownFiles),
  ...Object.values(pin),
];
