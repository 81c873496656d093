/**
 * The sharer's side of the PIN: answers the two requests of an exchange and hands the sealed torrent to who was right.
 *
 * Owns the exchanges that are under way, few and short, and the addresses that know the PIN; how often one may try is
 * pin_gate.ts's.
 */
import { client, ready, server } from "@serenity-kit/opaque";
import { bytesFromLatin1, formatHex, latin1FromBytes } from "../../lib/bytes.ts";
import { canonicalHost } from "../../lib/endpoint.ts";
import type { HttpBody, HttpReply } from "../../lib/http_response.ts";
import type { HttpEnds, HttpRequest } from "../../lib/io/http_server.ts";
import { pinAdmittedMax, pinExchangeMs, pinExchangesMax } from "../../lib/limits/shares.ts";
import { PinGate } from "../pin_gate.ts";
import { pinPaths, pinTerms, seal, sealedLength } from "./pin.ts";

/** One exchange: its first answer is out. */
interface Exchange {
  readonly state: string;
  readonly host: string;
  readonly expiresAt: number;
}

export interface PinServerOptions {
  /** Checked by checkPin. */
  readonly pin: string;
  /** Monotonic milliseconds. */
  now(): number;
  /** Somebody tries too often. @param host canonical */
  onSuspicion(host: string): void;
}

export class PinServer {
  readonly #options: PinServerOptions;
  readonly #setup: string;
  readonly #record: string;
  readonly #gate = new PinGate();
  readonly #exchanges = new Map<string, Exchange>();
  readonly #admitted = new Set<string>();

  private constructor(options: PinServerOptions, setup: string, record: string) {
    this.#options = options;
    this.#setup = setup;
    this.#record = record;
  }

  /** Makes the keys of this run. */
  static async make(options: PinServerOptions): Promise<PinServer> {
    await ready;
    const { pin: password } = options;
    const { userIdentifier, keyStretching, identifiers } = pinTerms;
    const setup = server.createSetup();
    const { clientRegistrationState, registrationRequest } = client.startRegistration({ password });
    const { registrationResponse } = server.createRegistrationResponse({
      serverSetup: setup,
      userIdentifier,
      registrationRequest,
    });
    const { registrationRecord } = client.finishRegistration({
      clientRegistrationState,
      registrationResponse,
      password,
      keyStretching,
      identifiers,
    });
    return new PinServer(options, setup, registrationRecord);
  }

  /** Whether somebody at this address has shown that he knows the PIN. */
  hasAdmitted(host: string): boolean {
    return this.#admitted.has(canonicalHost(host) ?? host);
  }

  /**
   * Answers a request of an exchange; undefined for any other.
   *
   * @param torrentOf the torrent of a share by its place in the list
   */
  answer(
    { path, query }: HttpRequest,
    { remote }: HttpEnds,
    torrentOf: (index: number) => Uint8Array<ArrayBuffer> | undefined,
  ): HttpReply | undefined {
    if (path !== pinPaths.start && path !== pinPaths.finish) return undefined;
    const values = new URLSearchParams(latin1FromBytes(query));
    const host = canonicalHost(remote) ?? remote;
    return path === pinPaths.start ? this.#start(values, host) : this.#finish(values, host, torrentOf);
  }

  #start(values: URLSearchParams, host: string): HttpReply {
    const now = this.#options.now();
    for (const [id, { expiresAt }] of this.#exchanges) if (expiresAt <= now) this.#exchanges.delete(id);
    if (this.#exchanges.size >= pinExchangesMax) return busy;
    if (!this.#gate.admits(host, now)) {
      this.#options.onSuspicion(host);
      return tooOften;
    }
    const { userIdentifier, identifiers } = pinTerms;
    try {
      const { serverLoginState, loginResponse } = server.startLogin({
        serverSetup: this.#setup,
        registrationRecord: this.#record,
        startLoginRequest: values.get("m") ?? "",
        userIdentifier,
        identifiers,
      });
      const id = formatHex(crypto.getRandomValues(new Uint8Array(16)));
      this.#exchanges.set(id, { state: serverLoginState, host, expiresAt: now + pinExchangeMs });
      return { status: 200, contentType: "text/plain", body: bytesFromLatin1(`${id} ${loginResponse}\n`) };
    } catch {
      return wrong; // no message of the protocol
    }
  }

  #finish(
    values: URLSearchParams,
    host: string,
    torrentOf: (index: number) => Uint8Array<ArrayBuffer> | undefined,
  ): HttpReply {
    const id = values.get("id") ?? "";
    const exchange = this.#exchanges.get(id);
    this.#exchanges.delete(id);
    const torrent = torrentOf(Number(values.get("share")));
    if (exchange === undefined || exchange.host !== host || exchange.expiresAt <= this.#options.now()) return wrong;
    const { identifiers } = pinTerms;
    let sessionKey: string;
    try {
      ({ sessionKey } = server.finishLogin({
        finishLoginRequest: values.get("m") ?? "",
        serverLoginState: exchange.state,
        identifiers,
      }));
    } catch {
      return wrong; // the library throws for a wrong PIN and for what is no message alike
    }
    this.#gate.giveBack(host, this.#options.now());
    if (this.#admitted.size < pinAdmittedMax) this.#admitted.add(host);
    if (torrent === undefined) {
      return { status: 404, contentType: "text/plain", body: bytesFromLatin1("no such share\n") };
    }
    return { status: 200, contentType: "application/octet-stream", body: sealedBody(sessionKey, torrent) };
  }
}

/** The torrent, sealed when it is sent. */
function sealedBody(sessionKey: string, torrent: Uint8Array<ArrayBuffer>): HttpBody {
  let sealed: Uint8Array | undefined;
  let at = 0;
  return {
    length: sealedLength(torrent.length),
    async read(into) {
      sealed ??= await seal(sessionKey, torrent);
      const part = sealed.subarray(at, at + into.length);
      into.set(part);
      at += part.length;
      return part.length;
    },
    close: () => {},
  };
}

const wrong: HttpReply = { status: 403, contentType: "text/plain", body: bytesFromLatin1("that is not the PIN\n") };
const tooOften: HttpReply = {
  status: 429,
  contentType: "text/plain",
  headers: "Retry-After: 20\r\n",
  body: bytesFromLatin1("too many wrong PINs: wait\n"),
};
const busy: HttpReply = { ...tooOften, status: 503, body: bytesFromLatin1("too many ask just now\n") };
