/** Listening on one address or on all of both families, with errors that a person can act on. */
import { canonicalHost } from "../endpoint.ts";
import { reasonOf, UserError } from "../errors.ts";
import type { DatagramSocket, Network, SocketListener } from "./network.ts";

/** Times that a free port is looked for that is free in both families, and in both protocols. */
const freePortTries = 10;

/**
 * Listens on `host`, or on all addresses of both families.
 *
 * On Linux and macOS one IPv6 socket takes IPv4 connections too; on Windows, and where the system says so, each family has
 * its own. Where IPv6 is absent IPv4 is enough.
 *
 * @throws UserError with a hint, e.g. when the port is in use
 */
export function listenOn(network: Network, host: string | undefined, port: number): SocketListener[] {
  return listenGuarded(host, port, () => bind((at) => network.listen(at), host, port));
}

/**
 * Listens for TCP and UDP on the same port, as {@linkcode listenOn} does for TCP.
 *
 * @throws UserError with a hint, e.g. when the port is in use
 */
export function listenOnBoth(
  network: Network,
  host: string | undefined,
  port: number,
): { listeners: SocketListener[]; sockets: DatagramSocket[] } {
  return listenGuarded(host, port, () => {
    const listeners = bind((at) => network.listen(at), host, port);
    try {
      return { listeners, sockets: bind((at) => network.listenDatagram(at), host, portOf(listeners[0])) };
    } catch (error) {
      for (const listener of listeners) listener.close();
      throw error;
    }
  });
}

/**
 * As {@linkcode listenOn} on the first port of `port`, `port` + 1 … that is free.
 *
 * @param tries ports that are tried before the system chooses one
 */
export function listenOnNextFree(
  network: Network,
  host: string | undefined,
  { port, tries }: { port: number; tries: number },
): SocketListener[] {
  for (let offset = 0; offset < tries; offset++) {
    try {
      return listenOn(network, host, port + offset);
    } catch (error) {
      if (!(error instanceof UserError && error.cause instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  return listenOn(network, host, 0);
}

/** What both kinds of sockets have. */
interface Bound {
  readonly addr: Deno.Addr;
  close(): void;
}

/** Tries again where a free port was asked for and the one that was found is taken in another family or protocol. */
function listenGuarded<T>(host: string | undefined, port: number, listen: () => T): T {
  try {
    for (let tries = 1;; tries++) {
      try {
        return listen();
      } catch (error) {
        if (port !== 0 || tries === freePortTries || !(error instanceof Deno.errors.AddrInUse)) throw error;
      }
    }
  } catch (error) {
    throw listenError(error, host, port);
  }
}

function bind<T extends Bound>(
  listen: (options: { hostname: string; port: number }) => T,
  host: string | undefined,
  port: number,
): T[] {
  if (host !== undefined) return [listen({ hostname: canonicalHost(host) ?? host, port })];
  let all: T;
  try {
    all = listen({ hostname: "::", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse || error instanceof Deno.errors.PermissionDenied) throw error;
    return [listen({ hostname: "0.0.0.0", port })];
  }
  try {
    return [all, listen({ hostname: "0.0.0.0", port: portOf(all) })];
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse && takesIpv4()) return [all];
    all.close();
    throw error;
  }
}

function portOf({ addr }: Bound): number {
  return (addr as Deno.NetAddr).port;
}

/** Windows keeps the families apart; elsewhere a socket on `::` has the port of IPv4 too, so it cannot be had twice. */
function takesIpv4(): boolean {
  return Deno.build.os !== "windows";
}

function listenError(error: unknown, host: string | undefined, port: number): UserError {
  const doing = `listen on ${host === undefined ? "" : `${host} `}port ${port}`;
  const refusal = (why: string, hint?: string) => {
    const refused = new UserError(doing, why, hint === undefined ? {} : { hint });
    refused.cause = error;
    return refused;
  };
  if (error instanceof Deno.errors.AddrInUse) {
    return refusal("another program uses that port", `choose another one: --port ${port < 65535 ? port + 1 : 6969}`);
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return refusal("that port needs more rights", "choose one above 1023: --port 6969");
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return refusal("this machine has no such address", "leave --host out to listen on all of them");
  }
  const reason = reasonOf(error).toLowerCase();
  return refusal(/lookup/.test(reason) ? "that name has no address" : reason);
}
