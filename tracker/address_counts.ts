/** How many peers each address (of IPv6: each network) has, so that one machine cannot fill a swarm or the tracker with made-up ports. */
export class AddressCounts {
  readonly #counts = new Map<number | string, number>();

  of(address: number | string): number {
    return this.#counts.get(address) ?? 0;
  }

  add(address: number | string): void {
    this.#counts.set(address, this.of(address) + 1);
  }

  remove(address: number | string): void {
    const count = this.of(address) - 1;
    if (count > 0) this.#counts.set(address, count);
    else this.#counts.delete(address);
  }
}
