/** The taker's side of the PIN: proves that he knows it, and opens the torrent that he gets for it. */
import { client, ready } from "@serenity-kit/opaque";
import { latin1FromBytes } from "../../lib/bytes.ts";
import { ProtocolError, UserError } from "../../lib/errors.ts";
import { httpGet } from "../../lib/io/http_get.ts";
import type { Network } from "../../lib/io/network.ts";
import { pinAnswerBytesMax } from "../../lib/limits/shares.ts";
import { torrentBytesMax } from "../../lib/limits/torrent_file.ts";
import { KiB } from "../../lib/limits/units.ts";
import { pinPaths, pinTerms, unseal } from "./pin.ts";

/**
 * Fetches the torrent of a share that needs a PIN.
 *
 * @returns its bytes
 * @throws UserError when the PIN is wrong or too many were tried; ProtocolError when the other side breaks the protocol
 */
export async function fetchSealedTorrent(
  { host, port, index, pin: password }: { host: string; port: number; index: number; pin: string },
  { network, signal }: { network: Network; signal: AbortSignal },
): Promise<Uint8Array> {
  await ready;
  const ask = (path: string, bytesMax: number) => httpGet(network, { host, port, path, bytesMax, signal });
  const { clientLoginState, startLoginRequest } = client.startLogin({ password });
  const begun = await ask(`${pinPaths.start}?m=${startLoginRequest}`, pinAnswerBytesMax);
  refuse(begun.status);
  const [, id, loginResponse] = /^([0-9a-f]{32}) ([\w-]+)\n$/.exec(latin1FromBytes(begun.body)) ?? [];
  if (id === undefined) throw new ProtocolError("it does not understand PINs");
  const { keyStretching, identifiers } = pinTerms;
  let login: ReturnType<typeof client.finishLogin>;
  try {
    login = client.finishLogin({ clientLoginState, loginResponse, password, keyStretching, identifiers });
  } catch {
    throw new ProtocolError("its answer to the PIN is broken");
  }
  if (login === undefined) throw wrongPin();
  const { finishLoginRequest, sessionKey } = login;
  const sealed = await ask(`${pinPaths.finish}?id=${id}&share=${index}&m=${finishLoginRequest}`, torrentBytesMax + KiB);
  refuse(sealed.status);
  return await unseal(sessionKey, sealed.body);
}

/** @throws UserError for what is no success */
function refuse(status: number): void {
  if (status === 200) return;
  if (status === 403) throw wrongPin();
  if (status !== 429 && status !== 503) throw new ProtocolError("it does not understand PINs");
  throw new UserError("use that PIN", "too many wrong ones were tried there", {
    hint: "wait a minute, then try again",
  });
}

function wrongPin(): UserError {
  return new UserError("use that PIN", "it is not the right one", { hint: "ask the person who shares it" });
}
