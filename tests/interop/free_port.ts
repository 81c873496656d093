/** TCP ports that were free a moment ago, each given out once in a test process. */

const given = new Set<number>();

/** A port that nothing listens on, found by asking the system for one and giving it back. */
export function freePort(hostname = "127.0.0.1"): number {
  for (;;) {
    const listener = Deno.listen({ hostname, port: 0 });
    const port = listener.addr.port;
    listener.close();
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
}
