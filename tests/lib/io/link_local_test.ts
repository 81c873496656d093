import { assertEquals, assertRejects } from "@std/assert";
import { connectOnAnyLink } from "../../../lib/io/link_local.ts";
import type { Socket } from "../../../lib/io/network.ts";

const netmask = "ffff:ffff:ffff:ffff::";
const interfaces = () => [
  { name: "lo", address: "::1", netmask: "", scopeid: 0 },
  { name: "docker0", address: "fe80::d", netmask, scopeid: 2 },
  { name: "eth0", address: "10.0.0.5", netmask: "255.255.255.0", scopeid: null },
  { name: "eth0", address: "fe80::5", netmask, scopeid: 3 },
];

/** A network in which only some hosts answer; the others never do. */
function networkOf(answering: readonly string[]) {
  const dialled: string[] = [];
  const closed: string[] = [];
  const connect = ({ hostname, signal }: { hostname: string; signal?: AbortSignal }) => {
    dialled.push(hostname);
    return new Promise<Socket>((resolve, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason));
      if (answering.includes(hostname)) resolve({ close: () => closed.push(hostname) } as unknown as Socket);
    });
  };
  return { connect, dialled, closed };
}

Deno.test("connectOnAnyLink() dials whatever says where it is as it stands", async () => {
  for (const hostname of ["10.0.0.7", "fd00::7", "fe80::7%eth1", "seeder.lan"]) {
    const network = networkOf([hostname]);
    await connectOnAnyLink(network, { hostname, port: 1 }, interfaces);
    assertEquals(network.dialled, [hostname]);
  }
});

Deno.test("connectOnAnyLink() tries a link-local address behind each interface that has one", async () => {
  const network = networkOf(["fe80::7%3"]);
  await connectOnAnyLink(network, { hostname: "fe80::7", port: 1 }, interfaces);
  assertEquals(network.dialled, ["fe80::7%2", "fe80::7%3"]);
});

Deno.test("connectOnAnyLink() keeps the first that answers and closes the others", async () => {
  const network = networkOf(["fe80::7%2", "fe80::7%3"]);
  await connectOnAnyLink(network, { hostname: "fe80::7", port: 1 }, interfaces);
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(network.closed, ["fe80::7%3"]);
});

Deno.test("connectOnAnyLink() ends with the reason of its signal", async () => {
  const stop = new AbortController();
  const dial = connectOnAnyLink(networkOf([]), { hostname: "fe80::7", port: 1, signal: stop.signal }, interfaces);
  stop.abort(new Error("enough"));
  await assertRejects(() => dial, Error, "enough");
});
