/**
 * HTTP and HTTPS to addresses that a torrent named: a few redirects are followed, and what fails is said in plain words.
 *
 * Owns the rule against request forgery that trackers and web seeds share (FIELD, libtorrent's audit of 2020): a torrent
 * must not make us knock at doors behind a firewall, so a redirect never leads from a public address to a private one, nor
 * out of TLS. A name is as private as the addresses behind it.
 */
import { canonicalHost, encodeAddress, isLoopback } from "../../lib/endpoint.ts";
import { dnsTimeoutMs, httpRedirectsMax } from "../../lib/limits/tracker.ts";

/** A redirect that is not followed; the message says why, to follow the word "it". */
export class RedirectError extends Error {
  override readonly name = "RedirectError";
}

/**
 * The last response of a chain of redirects, and where it came from; its body is not read yet.
 *
 * @param url an http or https one
 * @param check throws for an address that must not be asked; called before each request
 * @throws RedirectError, and whatever fetch throws: {@linkcode wordsOf} puts that into words
 */
export async function fetchFollowing(
  url: URL,
  { signal, headers, check }: {
    signal: AbortSignal;
    headers: Readonly<Record<string, string>>;
    check?: (url: URL) => Promise<void>;
  },
): Promise<{ response: Response; url: URL }> {
  for (let redirects = 0;; redirects++) {
    await check?.(url);
    const response = await fetch(url, { signal, redirect: "manual", headers: { "user-agent": "localbt", ...headers } });
    const location = redirectStatuses.includes(response.status) ? response.headers.get("location") : null;
    if (location === null) return { response, url };
    await response.body?.cancel();
    if (redirects === httpRedirectsMax) throw new RedirectError("it redirects too often");
    url = await redirectTarget(url, location);
  }
}

const redirectStatuses = [301, 302, 303, 307, 308];

async function redirectTarget(from: URL, location: string): Promise<URL> {
  const to = URL.parse(location, from);
  if (to === null || !isHttp(to)) throw new RedirectError("it redirects to something that is no web address");
  if (from.protocol === "https:" && to.protocol === "http:") throw new RedirectError("it redirects out of TLS");
  if (to.hostname === from.hostname) return to;
  if (await isPrivate(to) && !await isPrivate(from)) throw new RedirectError("it redirects to a private address");
  return to;
}

export function isHttp(url: URL): boolean {
  return url.protocol === "http:" || url.protocol === "https:";
}

/**
 * Whether a host is this machine or on a private network: by its address, by what kind of name it has, or by the addresses
 * that the name has now. A name that cannot be looked up is judged as a name: a proxy may know it.
 */
export async function isPrivate({ hostname }: URL, resolve: Resolve = Deno.resolveDns): Promise<boolean> {
  const host = canonicalHost(hostname);
  if (host !== undefined) return isPrivateAddress(host);
  const name = hostname.toLowerCase().replace(/\.$/, "");
  if (!name.includes(".") || /\.(localhost|local|lan|home|internal|intranet|home\.arpa)$/.test(name)) return true;
  const signal = AbortSignal.timeout(dnsTimeoutMs);
  const found = await Promise.allSettled([
    resolve(name, "A", { signal }),
    resolve(name, "AAAA", { signal }),
  ]);
  return found.some((result) =>
    result.status === "fulfilled" &&
    result.value.some((address) => isPrivateAddress(canonicalHost(address) ?? address))
  );
}

type Resolve = (name: string, type: "A" | "AAAA", options: { signal: AbortSignal }) => Promise<string[]>;

function isPrivateAddress(host: string): boolean {
  if (isLoopback(host)) return true;
  const [a, b] = encodeAddress(host);
  if (host.includes(":")) return host === "::" || (a & 0xfe) === 0xfc || (a === 0xfe && (b & 0xc0) === 0x80);
  return a === 0 || a === 10 || (a === 172 && (b & 0xf0) === 16) || (a === 192 && b === 168) ||
    (a === 169 && b === 254) || (a === 100 && (b & 0xc0) === 64);
}

/** What the runtime says of a failed request, in our words: its own hold the whole URL, passkey and all. */
export function wordsOf(error: unknown): string {
  if (error instanceof RedirectError) return error.message;
  const cause = error instanceof Error ? `${error.message} ${String(error.cause ?? "")}` : String(error);
  return causes.find(([pattern]) => pattern.test(cause))?.[1] ?? "the connection failed";
}

const causes: readonly (readonly [RegExp, string])[] = [
  [/connection refused|actively refused/i, "connection refused"],
  [/dns error|failed to lookup|name or service not known|no such host/i, "there is no such host"],
  [/requests to port \d+ are blocked/i, "its port is reserved for another protocol"],
  [/no route to host|network is unreachable|host is unreachable/i, "the network cannot be reached"],
  [/timed? ?out/i, "it gives no answer"],
  [/UnknownIssuer|certificate|invalid peer/i, "its certificate is not trusted"],
  [/NotCapable|Requires net access/i, "network access is not allowed"],
  [/corrupt message|received fatal alert|tls/i, "it does not speak TLS"],
  [
    /connection (was )?(closed|reset)|error reading a body|unexpected end|incomplete message|broken pipe/i,
    "it closed the connection",
  ],
  [/invalid HTTP|parse error|decode|decompress|deflate|gzip/i, "it does not speak HTTP"],
];
