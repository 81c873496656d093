/** Bounds of multicast and local discovery (lib/io/multicast.ts, peer/discovery.ts). */

/** Links that multicast is sent out of: a machine that runs containers has hundreds, few of them lead anywhere. */
export const multicastLinksMax = 32;
/** Bytes of a multicast packet that are read: the most that multicast DNS allows (RFC 6762, 17). */
export const multicastBytesMax = 9000;
/** Questions and records of a message of multicast DNS: what fits in its bytes, unless they are made up. */
export const dnsRecordsMax = 256;
/** Bytes of a name in it, without its last (RFC 1035, 2.3.4). */
export const dnsNameBytesMax = 254;
/** Pointers that one name follows: one for each label is the most that compression makes. */
export const dnsPointersMax = 16;
/** Packets of a group that are read in a second, for each family; the rest is left to the system, which drops it. */
export const multicastPacketsPerSecondMax = 500;
/** Milliseconds between two looks at the interfaces of this machine: a laptop joins another Wi-Fi. */
export const interfacesLookMs = 60_000;
/** Bytes of a discovery packet: BEP 14's own bound, which keeps it in one Ethernet frame. */
export const localDiscoveryBytesMax = 1400;
/** Characters of a discovery packet's cookie; libtorrent's has 8. */
export const localDiscoveryCookieCharsMax = 256;
/** Milliseconds between two discovery packets for a torrent that nobody new asks for. BEP 14 */
export const localAnnounceIntervalMs = 5 * 60_000;
/** Milliseconds between two at least, once the first three are out. BEP 14 */
export const localAnnounceIntervalMinMs = 60_000;
/** Discovery packets that we send in a second on each link: Transmission drops above 10. */
export const localAnnouncesPerSecond = 8;
/** Discovery packets that are decoded in a second: a flash crowd of 200 hosts, each with a torrent. */
export const localPacketsPerSecondMax = 200;
/** The same of one sender: twice what ours sends, with some clients on one machine. */
export const localPacketsPerSenderMax = 32;
/** Addresses with a torrent that are remembered as met, so that an answer goes to newcomers only. */
export const localNeighboursMax = 2000;
/** Of these, ports of one host with one torrent: clients on one machine, but no flood of made-up ports. */
export const localPortsPerHostMax = 16;
