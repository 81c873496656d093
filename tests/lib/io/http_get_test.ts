import { assertEquals, assertRejects } from "@std/assert";
import { bytesFromLatin1, latin1FromBytes } from "../../../lib/bytes.ts";
import { ProtocolError } from "../../../lib/errors.ts";
import { httpGet } from "../../../lib/io/http_get.ts";
import { makeContext } from "../../cli/test_context.ts";

/** Asks a server that says these bytes and then, unless it is to stay, ends. */
async function ask(
  reply: string,
  { bytesMax = 1000, timeoutMs = 5_000, stays = false, signal = new AbortController().signal } = {},
): Promise<{ status: number; body: string; remote: string; request: string }> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let request = "";
  const serving = (async () => {
    const socket = await listener.accept();
    const buffer = new Uint8Array(4096);
    request = latin1FromBytes(buffer.subarray(0, await socket.read(buffer) ?? 0));
    const bytes = bytesFromLatin1(reply);
    for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at)).catch(() => bytes.length);
    if (!stays) socket.close();
    return socket;
  })();
  const { port } = listener.addr;
  try {
    const get = { host: "127.0.0.1", port, path: "/x?y=z", bytesMax, timeoutMs, signal };
    const { status, body, remote } = await httpGet(makeContext().network, get);
    return { status, body: latin1FromBytes(body), remote, request: request.replace(String(port), "PORT") };
  } finally {
    const socket = await serving;
    if (stays) socket.close();
    listener.close();
  }
}

Deno.test("httpGet() asks plainly and gives status and body", async () => {
  assertEquals(await ask("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno and more"), {
    status: 404,
    body: "no",
    remote: "127.0.0.1",
    request: "GET /x?y=z HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nConnection: close\r\n\r\n",
  });
  assertEquals((await ask("HTTP/1.0 200 OK\r\n\r\nto the end")).body, "to the end");
});

Deno.test("httpGet() refuses what is no answer, cut off or larger than was bargained for", async () => {
  for (
    const reply of ["", "x", "HTTP/1.1 200", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfour"]
  ) {
    await assertRejects(() => ask(reply), ProtocolError, "", reply);
  }
  await assertRejects(() => ask(`HTTP/1.1 200 OK\r\n\r\n${"x".repeat(1001)}`), ProtocolError, "too large");
  await assertRejects(() => ask(`HTTP/1.1 200 OK\r\n\r\n${"x".repeat(500_000)}`), ProtocolError, "too large");
  await assertRejects(() => ask(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(20_000)}\r\n\r\n`), ProtocolError);
});

Deno.test("httpGet() gives up on who says nothing, and when it is told to", async () => {
  await assertRejects(() => ask("HTTP/1.1 200 OK\r\n", { stays: true, timeoutMs: 50 }), DOMException);
  const controller = new AbortController();
  const asking = ask("HTTP/1.1 200 OK\r\n", { stays: true, signal: controller.signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => asking, Error, "enough");
});
