/** A Network that deals with known addresses only: whoever else comes is hung up on, and is not dialled. */
import type { Network, Socket, SocketListener } from "../../lib/io/network.ts";

/** @param isKnown of an address as the system tells it */
export function guardNetwork(network: Network, isKnown: (host: string) => boolean): Network {
  return {
    ...network,
    listen: (options) => guardListener(network.listen(options), isKnown),
    connect: (options) =>
      isKnown(options.hostname)
        ? network.connect(options)
        : Promise.reject(new Deno.errors.ConnectionRefused("a stranger")),
  };
}

function guardListener(listener: SocketListener, isKnown: (host: string) => boolean): SocketListener {
  return {
    addr: listener.addr,
    close: () => listener.close(),
    async accept(): Promise<Socket> {
      for (;;) {
        const socket = await listener.accept();
        if (isKnown(socket.remoteAddr.hostname)) return socket;
        socket.close();
      }
    },
  };
}
