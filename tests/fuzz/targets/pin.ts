/** The messages about a PIN, both ways, and a torrent that came sealed. */
import { latin1FromBytes } from "../../../lib/bytes.ts";
import { ProtocolError } from "../../../lib/errors.ts";
import { seal, sealedLength, unseal } from "../../../peer/io/pin.ts";
import { PinServer } from "../../../peer/io/pin_server.ts";
import { bytesOf } from "../draw.ts";
import { holds, same } from "../holds.ts";
import type { FuzzTarget } from "../target.ts";

let server: PinServer;
let now = 0;
const sealed: { key: string; bytes: Uint8Array } = { key: "key of the exchange", bytes: new Uint8Array(0) };
const torrent = new TextEncoder().encode("d4:infode");

/** What a client once began with. */
const firstMessage =
  "WE55wbAm1_0UzYC1zG8iYS-Rax_WuwZNZ4qyu4PTvX8HvVLB3p7_kFFNaYzYZ9cz-3DSp8Nl_sMiidAs3jNN0XC3X9u9PJiBbIG53C71UZyRDoaADv3wnWkwYy6knjlf";

const base64url = (bytes: string) => btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/** The path and query of a request, as they stand behind GET. */
export const pinRequest: FuzzTarget = {
  name: "pin-request",
  oneIn: 5,
  async prepare() {
    server = await PinServer.make({ pin: "123456", now: () => now, onSuspicion: () => {} });
  },
  generate(draw) {
    const message = draw.oneIn(4) ? firstMessage : base64url(draw.bytes(draw.oneIn(3) ? draw.below(200) : 96));
    const start = `/pin/start?m=${message}`;
    const finish = `/pin/finish?id=${draw.hex(32)}&share=${draw.digits()}&m=${message}`;
    return bytesOf(draw.oneIn(2) ? start : finish);
  },
  run(input) {
    now += 20_000;
    const [path, query = ""] = latin1FromBytes(input).split("?", 2);
    const request = { path, query: bytesOf(query), host: undefined, range: undefined };
    const ends = { remote: "10.0.0.2", local: "10.0.0.1" };
    const reply = server.answer(request as never, ends as never, () => torrent);
    if (reply === undefined) return "refused";
    holds([200, 403, 404, 429, 503].includes(reply.status), `the status is ${reply.status}`);
    holds(!server.hasAdmitted("10.0.0.2"), "somebody was let in who has not shown that he knows the PIN");
    return reply.status === 200 ? "taken" : "refused";
  },
};

export const sealedTorrent: FuzzTarget = {
  name: "sealed-torrent",
  oneIn: 5,
  async prepare() {
    sealed.bytes = await seal(sealed.key, torrent);
    holds(sealed.bytes.length === sealedLength(torrent.length), "a sealed torrent has the length that was said");
  },
  generate: (draw) => draw.oneIn(3) ? bytesOf(draw.someBytes()) : sealed.bytes.slice(),
  async run(input) {
    try {
      same(await unseal(sealed.key, input), torrent, "the torrent that was sealed");
      return "taken";
    } catch (error) {
      if (error instanceof ProtocolError) return "refused";
      throw error;
    }
  },
};
