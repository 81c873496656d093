/**
 * How often strangers may try a PIN: a few times at once, then one try for each so many seconds, by address and in all.
 *
 * A try counts when it begins, since its first answer already tells who guessed whether he was right; only a success
 * gives it back. An address that has used up its tries takes none from the others.
 */
import { encodeAddress } from "../lib/endpoint.ts";
import { formatHex } from "../lib/bytes.ts";
import { pinAddressesMax, pinTriesMax, pinTriesPerAddressMax, pinTryMs } from "../lib/limits/shares.ts";

/** Tries that were used, less what time gave back. */
interface Account {
  used: number;
  /** Monotonic ms of the last look. */
  at: number;
}

export class PinGate {
  readonly #byAddress = new Map<string, Account>();
  readonly #all: Account = { used: 0, at: -Infinity };

  /** Whether a try may begin, which uses it up. @param host canonical */
  admits(host: string, now: number): boolean {
    const account = this.#accountOf(host, now);
    settle(this.#all, now);
    settle(account, now);
    if (account.used > pinTriesPerAddressMax - 1 || this.#all.used > pinTriesMax - 1) return false;
    account.used++;
    this.#all.used++;
    return true;
  }

  /** The try was right. */
  giveBack(host: string, now: number): void {
    const account = this.#accountOf(host, now);
    account.used = Math.max(0, account.used - 1);
    this.#all.used = Math.max(0, this.#all.used - 1);
  }

  #accountOf(host: string, now: number): Account {
    const key = networkOf(host);
    let account = this.#byAddress.get(key);
    if (account === undefined) {
      // Whoever has been silent for longest is forgotten; the bound for all together stays.
      if (this.#byAddress.size >= pinAddressesMax) this.#byAddress.delete(this.#byAddress.keys().next().value!);
      account = { used: 0, at: now };
    }
    this.#byAddress.delete(key);
    this.#byAddress.set(key, account);
    return account;
  }
}

function settle(account: Account, now: number): void {
  if (account.at !== -Infinity) account.used = Math.max(0, account.used - (now - account.at) / pinTryMs);
  account.at = now;
}

/** The address, or of IPv6 its network: one machine has as many addresses there as it likes. */
function networkOf(host: string): string {
  const bytes = encodeAddress(host);
  return formatHex(bytes.length === 16 ? bytes.subarray(0, 8) : bytes);
}
