/** Listening on one address or on all of both families, with errors that a person can act on. */
import { canonicalHost } from "../endpoint.ts";
import { reasonOf, UserError } from "../errors.ts";
import type { Network, SocketListener } from "./network.ts";

/** Times that two free ports are tried when port 0 is asked for on both families. */
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
  try {
    if (host !== undefined) return [network.listen({ hostname: canonicalHost(host) ?? host, port })];
    for (let tries = 1;; tries++) {
      const listeners = listenOnAll(network, port);
      if (listeners !== undefined) return listeners;
      if (tries === freePortTries) throw new Deno.errors.AddrInUse("no port is free for both IPv4 and IPv6");
    }
  } catch (error) {
    throw listenError(error, host, port);
  }
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

/** Undefined when the free port of one family is taken in the other. */
function listenOnAll(network: Network, port: number): SocketListener[] | undefined {
  let all: SocketListener;
  try {
    all = network.listen({ hostname: "::", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse || error instanceof Deno.errors.PermissionDenied) throw error;
    return [network.listen({ hostname: "0.0.0.0", port })];
  }
  try {
    return [all, network.listen({ hostname: "0.0.0.0", port: all.addr.port })];
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse && takesIpv4(all)) return [all];
    all.close();
    if (port === 0 && error instanceof Deno.errors.AddrInUse) return undefined;
    throw error;
  }
}

/** Windows keeps the families apart; elsewhere a socket on `::` has the port of IPv4 too, so it cannot be had twice. */
function takesIpv4(_all: SocketListener): boolean {
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
