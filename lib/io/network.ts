/**
 * The sockets of the program as one value: main.ts makes it from `Deno.listen`, `Deno.connect` and `Deno.listenDatagram`
 * and hands it to the io modules, so that a test can hand over another.
 */

import type { MulticastInterface } from "../multicast_links.ts";

/** What localbt does with one TCP connection. */
export type Socket = Pick<
  Deno.TcpConn,
  "read" | "write" | "close" | "closeWrite" | "setNoDelay" | "localAddr" | "remoteAddr"
>;

/** What localbt does with a listening TCP socket; `accept` rejects once it is closed. */
export interface SocketListener {
  readonly addr: Deno.NetAddr;
  accept(): Promise<Socket>;
  close(): void;
}

/** What localbt does with one UDP socket; `receive` rejects once it is closed. */
export type DatagramSocket = Pick<
  Deno.DatagramConn,
  "addr" | "receive" | "send" | "close" | "joinMulticastV4" | "joinMulticastV6"
>;

export interface Network {
  /** @throws Deno.errors.AddrInUse and other errors of the system */
  listen(options: { hostname: string; port: number }): SocketListener;
  /** Rejects when the peer refuses, cannot be reached, or `signal` aborts. */
  connect(options: { hostname: string; port: number; signal?: AbortSignal }): Promise<Socket>;
  /**
   * A UDP socket.
   *
   * @param options `reuseAddress`: others may have the port too, as for multicast; `loopback`: what this machine sends to
   * a group comes back to it
   */
  listenDatagram(
    options: { hostname: string; port: number; reuseAddress?: boolean; loopback?: boolean },
  ): DatagramSocket;
  /** The addresses of this machine's network interfaces, for multicast: none, and nothing is sent to any group. */
  interfaces(): MulticastInterface[];
  /** Sockets and files that the system lets this process have at once; undefined where that is not known. */
  readonly socketsMax?: number | undefined;
}
