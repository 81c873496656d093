/**
 * The far end of limits_part.ts's raw loopback: connects to the port that it is given, and takes (or sends) `length` bytes.
 *
 * usage: deno run -A loopback.ts receive|send PORT LENGTH
 */
const writeBytes = 512 * 1024;
const readBytes = 1024 * 1024;

export async function send(socket: Deno.Conn, length: number): Promise<void> {
  const bytes = new Uint8Array(writeBytes).fill(7);
  for (let done = 0; done < length;) done += await socket.write(bytes.subarray(0, length - done));
}

export async function receive(socket: Deno.Conn, length: number): Promise<void> {
  const buffer = new Uint8Array(readBytes);
  for (let done = 0; done < length;) {
    const count = await socket.read(buffer);
    if (count === null) throw new Error(`the other end closed after ${done} of ${length} bytes`);
    done += count;
  }
}

if (import.meta.main) {
  const [direction, port, length] = Deno.args;
  using socket = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  await (direction === "send" ? send : receive)(socket, Number(length));
  // The other end reads our CPU time before it lets us go.
  await socket.read(new Uint8Array(1));
}
