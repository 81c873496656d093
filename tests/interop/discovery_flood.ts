/**
 * A host that means ill: floods the group of local discovery with what is broken, forged or useless.
 *
 * usage: discovery_flood.ts ADDRESS INFO_HASH PACKETS: so many of each kind. Prints DONE.
 */
const [address = "", infoHash = "", packets = ""] = Deno.args;
const group = { transport: "udp", hostname: "239.192.152.143", port: 6771 } as const;
const encoder = new TextEncoder();

function announce(port: number, hash: string): Uint8Array {
  return encoder.encode(`BT-SEARCH * HTTP/1.1\r\nHost: x\r\nPort: ${port}\r\nInfohash: ${hash}\r\n\r\n\r\n`);
}

const kinds: ((number: number) => Uint8Array)[] = [
  (number) => crypto.getRandomValues(new Uint8Array(1 + number % 1400)),
  (number) => announce(1 + number % 65_534, number.toString(16).padStart(40, "0")),
  (number) => announce(1 + number % 65_534, infoHash),
  (number) => announce(6881, infoHash).subarray(0, number % 100),
];

const socket = Deno.listenDatagram({ transport: "udp", hostname: address, port: 0 });
for (const make of kinds) {
  for (let number = 0; number < Number(packets); number++) await socket.send(make(number), group);
}
socket.close();
console.log("DONE");
