import { testOn } from "../interop/installed.ts";
import { Lan, type LanOptions } from "../interop/lan.ts";
import type { HostOptions } from "../interop/lan_host.ts";
import { networkNamespaces } from "../interop/network_tools.ts";
import { singleFile } from "../interop/payload.ts";
import { Scene } from "../interop/scene.ts";
import { seedBesideTracker, Taker } from "./room.ts";

const kind = singleFile(2_000_000, 32_768, 15);
const cases: readonly (readonly [string, LanOptions, HostOptions])[] = [
  ["in an office", {}, {}],
  ["beside docker0 and a VPN that takes everything", {}, { others: ["docker0", "vpn"] }],
  ["behind a VPN that takes everything", {}, { others: ["vpn"] }],
  ["by IPv6 alone", { addressing: "ipv6" }, {}],
  ["by link-local addresses alone", { addressing: "link-local" }, {}],
  ["by link-local addresses, beside others", { addressing: "link-local" }, { others: ["docker0", "vpn"] }],
];

for (const [where, lanOptions, hostOptions] of cases) {
  testOn([networkNamespaces], `two that know the same torrent meet without a tracker ${where}`, async () => {
    await using scene = await Scene.open();
    const lan = await Lan.open(scene, lanOptions);
    const giver = await seedBesideTracker(scene, await lan.addHost(hostOptions), kind, "127.0.0.1");
    const words = ["download", giver.torrentFor()];
    await new Taker(scene, await lan.addHost(hostOptions), giver, words).finished();
  });
}
