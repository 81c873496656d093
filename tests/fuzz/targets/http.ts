/** HTTP: heads of requests as they come, ranges, and what other servers answer. */
import { latin1FromBytes } from "../../../lib/bytes.ts";
import { parseContentRange, parseRetryAfter, readHttpAnswer } from "../../../lib/http_answer.ts";
import { readRange } from "../../../lib/http_range.ts";
import { HttpHeadReader, type HttpHeadState } from "../../../lib/http_request.ts";
import { cutsOf } from "../cuts.ts";
import { bytesOf, type Draw, latin1Of } from "../draw.ts";
import { holds, same, within } from "../holds.ts";
import { type FuzzTarget, readOrRefuse } from "../target.ts";

const limits = { lineBytesMax: 600, headBytesMax: 1200, headersMax: 12 };

function headText(draw: Draw): string {
  const target = draw.pick([
    "/",
    "/announce?x=1",
    "/stats",
    "*",
    "//",
    "http://a.test/x?y",
    "/a?b?c",
    `/${draw.utf8()}`,
    "/".repeat(700),
  ]);
  const method = draw.oneIn(5) ? draw.pick(["POST", "get", "", "HEAD", "CONNECT", draw.word()]) : "GET";
  const version = draw.oneIn(6)
    ? draw.pick(["HTTP/2.0", "HTTP/1.9", "HTTP/1.", "HTTP/1.00", "", "http/1.1"])
    : draw.pick(["HTTP/1.1", "HTTP/1.0"]);
  const header = () =>
    draw.pick([
      `Host: ${latin1Of(draw.host())}:${draw.port()}`,
      `host:${draw.word()}`,
      `Connection: ${draw.pick(["close", "keep-alive", "Close, x", "upgrade", draw.utf8()])}`,
      `Content-Length: ${draw.digits()}`,
      "Transfer-Encoding: chunked",
      `Range: bytes=${draw.digits()}-${draw.digits()}`,
      `x: ${"x".repeat(draw.below(600))}`,
      `${draw.word()}: ${draw.utf8()}`,
      ` folded: ${draw.word()}`,
      `Name : ${draw.word()}`,
      draw.utf8(),
    ]);
  const end = draw.oneIn(20) ? draw.pick(["\n", "\r", "\r\r\n"]) : "\r\n";
  const lines = [
    ...(draw.oneIn(9) ? ["", ""] : []),
    `${method} ${target} ${version}`,
    ...draw.several(header, 5),
    "",
    "",
  ];
  return lines.join(end);
}

/** What a reader finds when bytes come in these reads, head after head. */
function readHeads(input: Uint8Array, reads: Iterable<Uint8Array>): unknown[] {
  const reader = new HttpHeadReader(limits);
  const found: unknown[] = [];
  let [start, end] = [0, 0];
  for (const read of reads) {
    end += read.length;
    for (let state: HttpHeadState = "complete"; state === "complete" && start < end;) {
      state = reader.read(input, start, end);
      if (state === "more") break;
      if (state !== "complete") return [...found, state];
      found.push(headOf(reader, input, start));
      start += reader.length;
      reader.reset();
    }
  }
  return found;
}

function headOf(reader: HttpHeadReader, input: Uint8Array, start: number): unknown {
  const { path, queryStart, queryEnd, hostStart, hostEnd, rangeStart, rangeEnd, length } = reader;
  within(length, 1, limits.headBytesMax, "the length of a head");
  holds(path.startsWith("/") && path.length <= limits.lineBytesMax, `a path is ${JSON.stringify(path)}`);
  holds(!/[\0-\x20\x7f]/.test(path), "a path has a control character or a space");
  const parts = [[queryStart, queryEnd], [hostStart, hostEnd], [rangeStart, rangeEnd]];
  const texts = parts.map(([from, to]) => {
    holds(from <= to && to <= length, "a part of a head lies outside of it");
    const text = latin1FromBytes(input.subarray(start + from, start + to));
    holds(!/[\n]/.test(text), "a part of a head has a line end");
    return text;
  });
  return [path, ...texts, length, reader.isHead, reader.isKeptAlive, reader.isHttp10];
}

export const httpHead: FuzzTarget = {
  name: "http-head",
  corpus: [
    bytesOf(
      "GET /announce?info_hash=%12 HTTP/1.1\r\nHost: 127.0.0.1:6969\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n",
    ),
  ],
  generate: (draw) => bytesOf(draw.oneIn(3) ? headText(draw) + headText(draw) : headText(draw)),
  run(input) {
    const whole = readHeads(input, [input]);
    same(readHeads(input, cutsOf(input)), whole, "heads that come in pieces");
    return whole.some((found) => Array.isArray(found)) ? "taken" : "refused";
  },
};

export const httpRange: FuzzTarget = {
  name: "http-range",
  generate(draw) {
    const unit = draw.oneIn(9) ? draw.pick(["Bytes", "items", "bytes "]) : "bytes";
    const number = () => draw.oneIn(4) ? "" : draw.digits();
    return bytesOf(
      latin1Of(
        draw.pick([
          `${unit}=${number()}-${number()}`,
          `bytes ${number()}-${number()}/${draw.oneIn(3) ? "*" : number()}`,
          number(),
          draw.text(),
          "Wed, 21 Oct 2015 07:28:00 GMT",
        ]),
      ),
    );
  },
  run(input) {
    const text = new TextDecoder().decode(input);
    let outcome: "taken" | "refused" = "refused";
    for (const length of [0, 1, 1000, 2 ** 53 - 1]) {
      const range = readRange(text, length);
      if (range === undefined || range === "unsatisfiable") continue;
      within(range.start, 0, length - 1, "the start of a range");
      within(range.end, range.start + 1, length, "the end of a range");
      outcome = "taken";
    }
    const { first, last, total } = parseContentRange(text);
    for (const value of [first, last, total]) if (value !== undefined) within(value, 0, 1e15, "a part of a range");
    const retryInMs = parseRetryAfter(text, 1_700_000_000_000);
    if (retryInMs !== undefined) holds(Number.isFinite(retryInMs), "a time to wait");
    return first === undefined && retryInMs === undefined ? outcome : "taken";
  },
};

export const httpAnswer: FuzzTarget = {
  name: "http-answer",
  generate(draw) {
    const body = draw.oneIn(30) ? "x".repeat(20_000) : draw.someBytes();
    const length = draw.oneIn(6) ? draw.digits() : String(body.length);
    const header = () =>
      draw.pick([
        `Content-Length: ${length}`,
        `content-length:\t${length} `,
        `X: ${draw.utf8()}`,
        "Transfer-Encoding: chunked",
      ]);
    const status = draw.oneIn(9) ? draw.digits() : draw.pick(["200 OK", "404", "403 No", "206 Partial"]);
    return bytesOf([`HTTP/1.${draw.oneIn(9) ? 2 : 1} ${status}`, ...draw.several(header, 4), "", body].join("\r\n"));
  },
  run(input) {
    const answer = readOrRefuse(() => readHttpAnswer(input));
    if (answer === undefined) return "refused";
    within(answer.status, 100, 599, "the status");
    holds(answer.body.length <= input.length - 15, "the body is more than came");
    return "taken";
  },
};
