/**
 * The PIN of a share: what it may look like, how both sides stretch it, and how the key that they agree on seals a torrent.
 *
 * The two sides run OPAQUE (RFC 9807): who listens learns nothing to test guesses with, and who takes part learns only
 * whether his one guess was right. The stretching is a light one, because no list of PINs is kept that could be stolen.
 */
import { ExitCode, ProtocolError, UserError } from "../../lib/errors.ts";
import { pinCharsMax, pinCharsMin } from "../../lib/limits/shares.ts";

/** Where the exchange begins and ends. */
export const pinPaths = { start: "/pin/start", finish: "/pin/finish" } as const;

/** What both sides are to say alike. */
export const pinTerms = {
  userIdentifier: "localbt",
  keyStretching: { "argon2id-custom": { iterations: 2, memory: 8192, parallelism: 1 } },
  identifiers: { client: "get", server: "share" },
} as const;

/** Bytes before the sealed ones, and behind them. */
const ivLength = 12;
const tagLength = 16;

/** Six digits. */
export function makePin(): string {
  const [number] = crypto.getRandomValues(new Uint32Array(1));
  // 2^32 is no multiple of 10^6: the first numbers are more likely by a quarter of a thousandth.
  return String(number % 1_000_000).padStart(6, "0");
}

/** The PIN in the form that both sides use. @throws UserError (2) for one that is too short or too long */
export function checkPin(given: string): string {
  const pin = given.normalize("NFKC").trim();
  if (pin.length >= pinCharsMin && pin.length <= pinCharsMax) return pin;
  throw new UserError("use that PIN", `it needs ${pinCharsMin} to ${pinCharsMax} characters`, {
    exitCode: ExitCode.usage,
    hint: "--make-pin makes one",
  });
}

/** Bytes of a sealed text of so many. */
export function sealedLength(length: number): number {
  return ivLength + length + tagLength;
}

/** Seals bytes for who has the key of the exchange. */
export async function seal(sessionKey: string, bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const iv = crypto.getRandomValues(new Uint8Array(ivLength));
  const key = await keyOf(sessionKey, "encrypt");
  const sealed = new Uint8Array(sealedLength(bytes.length));
  sealed.set(iv);
  sealed.set(new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, bytes)), ivLength);
  return sealed;
}

/** Opens what was sealed. @throws ProtocolError when it was not sealed with that key, or was changed */
export async function unseal(sessionKey: string, sealed: Uint8Array): Promise<Uint8Array> {
  const key = await keyOf(sessionKey, "decrypt");
  const iv = sealed.slice(0, ivLength);
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, sealed.slice(ivLength)));
  } catch {
    throw new ProtocolError("the torrent was changed on its way");
  }
}

async function keyOf(sessionKey: string, usage: "encrypt" | "decrypt"): Promise<CryptoKey> {
  const secret = new TextEncoder().encode(sessionKey);
  const base = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
  const info = new TextEncoder().encode("localbt share 1 torrent");
  const derivation = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info };
  return await crypto.subtle.deriveKey(derivation, base, { name: "AES-GCM", length: 256 }, false, [usage]);
}
