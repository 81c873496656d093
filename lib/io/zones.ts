/**
 * Dialling link-local IPv6 addresses: `fe80::1` says nothing without the interface that it is on, and neither trackers nor
 * discovery packets can name ours. So all of them are tried at once.
 */
import { canonicalHost } from "../endpoint.ts";
import { multicastLinksMax } from "../limits.ts";
import { isLinkLocal6 } from "../local_addresses.ts";

/**
 * Dials an address or a name.
 *
 * @param dial is given the address with a zone, where it needs one
 * @param zones the interfaces that link-local addresses may be on
 * @returns the first connection; rejects with what `dial` says when there is none
 */
export async function dialInZones<C extends { close(): void }>(
  hostname: string,
  dial: (hostname: string) => Promise<C>,
  zones: () => readonly string[] = readZones,
): Promise<C> {
  const host = canonicalHost(hostname);
  const names = host !== undefined && isLinkLocal6(host) ? zones() : [];
  if (names.length === 0) return await dial(hostname);
  let first: C | undefined;
  const dials = names.map(async (zone) => {
    const connection = await dial(`${host}%${zone}`);
    if (first !== undefined) connection.close();
    return first ??= connection;
  });
  try {
    return await Promise.any(dials);
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  }
}

/** The interfaces that have a link-local address of their own. */
function readZones(): string[] {
  try {
    const interfaces = Deno.networkInterfaces().filter(({ address }) => isLinkLocal6(address.split("%", 1)[0]));
    return [...new Set(interfaces.map(({ name, scopeid }) => Deno.build.os === "windows" ? String(scopeid) : name))]
      .slice(0, multicastLinksMax);
  } catch {
    return [];
  }
}
