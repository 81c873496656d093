/**
 * The swarms of a tracker by their info hash and by a number, which is what the peer table keeps of a swarm.
 *
 * A number is given again once its swarm is gone, so that the numbers in use stay dense.
 */
import type { InfoHash } from "../lib/ids.ts";
import type { PeerTable } from "./peer_table.ts";
import { Swarm } from "./swarm.ts";

export class SwarmBook {
  readonly #byHash = new Map<InfoHash, Swarm>();
  readonly #byNumber: (Swarm | undefined)[] = [];
  readonly #freeNumbers: number[] = [];

  get count(): number {
    return this.#byHash.size;
  }

  find(infoHash: InfoHash): Swarm | undefined {
    return this.#byHash.get(infoHash);
  }

  /** The swarm of a peer of the table. */
  numbered(number: number): Swarm {
    return this.#byNumber[number]!;
  }

  /** Makes a swarm without peers for an info hash that has none. */
  add(infoHash: InfoHash, table: PeerTable): Swarm {
    const number = this.#freeNumbers.pop() ?? this.#byNumber.length;
    const swarm = new Swarm(infoHash, number, table);
    this.#byHash.set(infoHash, swarm);
    this.#byNumber[number] = swarm;
    return swarm;
  }

  /** Forgets a swarm that has no peers any more. */
  remove({ infoHash, number }: Swarm): void {
    this.#byHash.delete(infoHash);
    this.#byNumber[number] = undefined;
    this.#freeNumbers.push(number);
  }
}
