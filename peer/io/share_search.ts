/** Looking for shares on this network: how long, until when, and what is said when there is nothing. */
import type { Context } from "../../lib/cli/context.ts";
import { formatDuration, safeText } from "../../lib/cli/text.ts";
import { ExitCode, UserError } from "../../lib/errors.ts";
import type { FoundShare } from "../found_share.ts";
import { ShareFinder } from "./share_finder.ts";

/** Milliseconds that a list waits for all who answer: the slowest of them takes 0.1 s, a lost packet 0.4 s more. */
const listMs = 1_500;
/** Milliseconds after the first of a name in which another of the same name may still turn up. */
const doubleMs = 150;
/** Milliseconds until a search that has found nothing is given up. */
const searchMs = 10_000;

export class ShareSearch {
  readonly #context: Context;
  readonly #finder: ShareFinder;
  readonly #timeoutMs: number;

  private constructor(context: Context, finder: ShareFinder, timeoutMs: number) {
    this.#context = context;
    this.#finder = finder;
    this.#timeoutMs = timeoutMs;
  }

  /** Begins to look. @throws UserError where there is no network at all */
  static async start(
    context: Context,
    { host, timeout }: { host: string | undefined; timeout: number | undefined },
  ): Promise<ShareSearch> {
    const finder = await ShareFinder.start({
      network: context.network,
      host,
      signal: context.stop,
      now: () => context.now(),
      onFault: (name, why) => context.verbose && context.warn(`${name}: ${why}`),
    });
    if (!finder.hasLinks) {
      finder.close();
      throw new UserError("look for shares", "this machine is in no network", {
        hint: "connect it to the network of the others, or name an address: localbt get HOST",
      });
    }
    return new ShareSearch(context, finder, timeout ?? searchMs);
  }

  /** All that answers within the time of a list. @param name only what is called that */
  async list(name: string | undefined): Promise<FoundShare[]> {
    const shares = await this.#finder.find(() => false, Math.min(listMs, this.#timeoutMs));
    const fits = name === undefined ? shares : shares.filter((share) => isMeant(share, name));
    if (fits.length === 0) this.#context.log(`nothing is shared on this network; ${advice}`);
    return fits;
  }

  /** All that is shared; waits for the first of it. @throws UserError (5) when nothing comes */
  async all(): Promise<FoundShare[]> {
    const early = await this.#finder.find(() => false, Math.min(listMs, this.#timeoutMs));
    if (early.length > 0) return early;
    this.#context.log("nothing is shared here yet; waiting for the first");
    const shares = await this.#finder.find((shares) => shares.length > 0, this.#timeoutMs - listMs);
    if (shares.length === 0) throw this.notFound(undefined);
    return shares;
  }

  /** The shares of that name, or of the machine of that name; none when nothing comes in time. */
  async named(name: string): Promise<FoundShare[]> {
    const isFound = (shares: readonly FoundShare[]) => shares.some((share) => hasName(share, name));
    let shares = await this.#finder.find(isFound, Math.min(listMs, this.#timeoutMs));
    if (!shares.some((share) => isMeant(share, name))) {
      this.#context.log(`looking for ${safeText(name)}`);
      const isSome = (shares: readonly FoundShare[]) => shares.some((share) => isMeant(share, name));
      shares = await this.#finder.find(isSome, this.#timeoutMs - listMs);
    }
    shares = await this.#finder.find(() => false, doubleMs);
    const named = shares.filter((share) => hasName(share, name));
    return named.length > 0 ? named : shares.filter((share) => isMeant(share, name));
  }

  /** Nothing came. */
  notFound(name: string | undefined): UserError {
    const what = name === undefined ? "find a share" : `find ${safeText(name)}`;
    const others = this.#finder.shares().map((share) => safeText(share.name)).slice(0, 5);
    const why = others.length > 0 ? `only these are shared: ${others.join(", ")}` : "nothing is shared on this network";
    return new UserError(what, `${why} (looked for ${formatDuration(this.#timeoutMs)})`, {
      exitCode: ExitCode.timeout,
      hint: advice,
    });
  }

  /** Ends the search; what was found stays. */
  close(): void {
    this.#finder.close();
  }
}

const advice =
  "where multicast is blocked (guest Wi-Fi, firewalls), name the address that share shows: localbt get HOST";

/** Whether that is the share's name, in any case, with or without what follows its last dot. */
export function hasName({ name }: { readonly name: string }, wanted: string): boolean {
  const [a, b] = [safeText(name).toLowerCase(), safeText(wanted).toLowerCase()];
  return a === b || a.replace(/\.[^.]+$/, "") === b;
}

/** Whether the share has that name, or one of its machines has. */
function isMeant(share: FoundShare, wanted: string): boolean {
  const machine = safeText(wanted).toLowerCase().replace(/\.local$/, "");
  return hasName(share, wanted) || share.sources.some(({ hostName }) => safeText(hostName).toLowerCase() === machine);
}
