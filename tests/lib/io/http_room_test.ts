import { assert, assertEquals } from "@std/assert";
import { HttpConnection, type HttpPhase } from "../../../lib/io/http_connection.ts";
import { HttpRoom } from "../../../lib/io/http_room.ts";
import type { Socket } from "../../../lib/io/network.ts";
import { httpFreshMs, httpLookedAtMax } from "../../../lib/limits/http_server.ts";

/** A room in which each connection has a name, and the names of those that were closed. */
class NamedRoom {
  readonly room: HttpRoom;
  readonly closed: string[] = [];

  constructor(connectionsMax: number) {
    this.room = new HttpRoom({ connectionsMax, connectionsPerAddressMax: connectionsMax });
  }

  enter(name: string, phase: HttpPhase, since = 0): HttpConnection {
    const connection = new HttpConnection({ lineBytesMax: 100, headBytesMax: 100, headersMax: 1 });
    connection.begin({ close: () => this.closed.push(name) } as unknown as Socket);
    Object.assign(connection, { phase, since, deadline: Infinity });
    this.room.enter(connection, "192.0.2.1");
    return connection;
  }

  /** Who goes for a newcomer. */
  victimAt(clock: number): string | undefined {
    return this.room.makeRoom(clock) ? this.closed.at(-1) : undefined;
  }
}

Deno.test("HttpRoom.makeRoom() lets the oldest go that has not asked for long, before any that waits for its next", () => {
  const named = new NamedRoom(5);
  named.enter("kept", "idle");
  named.enter("slow", "head");
  named.enter("slower", "head");
  assertEquals(named.victimAt(httpFreshMs), "slow");
  assertEquals(named.victimAt(httpFreshMs), "slower");
  assertEquals(named.victimAt(httpFreshMs), "kept");
  assertEquals(named.victimAt(httpFreshMs), undefined);
});

Deno.test("HttpRoom.makeRoom() lets a newcomer ask before others are kept between two requests", () => {
  const named = new NamedRoom(5);
  named.enter("new", "head", 1_000);
  named.enter("kept", "idle");
  assertEquals(named.victimAt(1_000), "kept");
  assertEquals(named.victimAt(1_000), "new");
});

Deno.test("HttpRoom.makeRoom() ends nobody that is being answered", () => {
  const named = new NamedRoom(5);
  named.enter("answered", "write");
  assertEquals(named.victimAt(100_000), undefined);
  named.enter("told off", "linger");
  assertEquals(named.victimAt(100_000), "told off");
});

Deno.test("HttpRoom.makeRoom() looks no further than it must while a flood comes in", () => {
  const named = new NamedRoom(10_000);
  for (let i = 0; i < 5_000; i++) named.enter(`flood ${i}`, "head", 1_000);
  let looks = 0;
  const connections = named.room.connections as Set<HttpConnection>;
  const iterate = connections[Symbol.iterator].bind(connections);
  connections[Symbol.iterator] = function* () {
    for (const connection of { [Symbol.iterator]: iterate }) {
      looks++;
      yield connection;
    }
    return undefined;
  } as typeof iterate;
  assertEquals(named.victimAt(1_000), "flood 0");
  assert(looks <= httpLookedAtMax + 1, `${looks} were looked at`);
});

Deno.test("HttpRoom.closeLate() counts who was too slow, and not who only kept still", () => {
  const named = new NamedRoom(5);
  for (const phase of ["head", "idle", "write", "linger"] as const) named.enter(phase, phase).deadline = 10;
  named.room.closeLate(9);
  assertEquals(named.closed, []);
  named.room.closeLate(10);
  assertEquals(named.closed, ["head", "idle", "write", "linger"]);
  const { slowRequest, unreadReply, madeRoom } = named.room.refusals.counts;
  assertEquals([slowRequest, unreadReply, madeRoom], [1, 1, 0]);
});
