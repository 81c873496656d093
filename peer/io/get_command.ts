/** `localbt get`: finds what is shared on this network, or at an address, and takes it. */
import { command, flag, text } from "../../lib/cli/args.ts";
import type { Context } from "../../lib/cli/context.ts";
import { summaries } from "../../lib/cli/summaries.ts";
import { formatCount, formatSize, safeText } from "../../lib/cli/text.ts";
import { canonicalHost, formatEndpoint } from "../../lib/endpoint.ts";
import { ExitCode, UserError } from "../../lib/errors.ts";
import { isLinkLocal6 } from "../../lib/local_addresses.ts";
import type { Metainfo } from "../../lib/metainfo.ts";
import { parseShareTarget, sharePort, type ShareTarget } from "../../lib/share_target.ts";
import { isLocalName, originOf } from "../../lib/site_host.ts";
import { downloadOperand, downloadOptions, type DownloadValues, fetchTorrent } from "./download_command.ts";
import type { FoundShare } from "../found_share.ts";
import { checkPin } from "./pin.ts";
import { askForShare, sourceName, tellShares } from "./share_choice.ts";
import { fetchShareTorrent, listShares, reachSource, type SharingHost } from "./share_client.ts";
import { hasName, ShareSearch } from "./share_search.ts";
import { stopCode } from "./stop_code.ts";

export const getCommand = command({
  name: "get",
  summary: summaries.get,
  operands: "[name, address or link] [name]",
  options: {
    ...downloadOptions,
    pin: text({ value: "WORD", help: "the PIN of a share that needs one" }),
    list: flag({ help: "only list what is shared" }),
  },
  examples: [
    "localbt get",
    "localbt get holiday",
    "localbt get -o Downloads 192.168.1.5",
    "localbt get 192.168.1.5 holiday",
    "localbt get holiday --pin 482913",
    "localbt get http://192.168.1.5:6969/",
  ],
  async run(context, values, [operand, name]) {
    try {
      return await new Getting(context, values).run(operand, name);
    } catch (error) {
      if (context.stop.aborted) return stopCode(context.stop);
      throw error;
    }
  },
});

type GetValues = DownloadValues & { readonly list: boolean; readonly pin: string | undefined };

/** One run of `get`. */
class Getting {
  readonly #context: Context;
  readonly #values: GetValues;

  constructor(context: Context, values: GetValues) {
    this.#context = context;
    this.#values = values;
  }

  async run(operand: string | undefined, name: string | undefined): Promise<ExitCode> {
    const target = operand === undefined ? undefined : parseShareTarget(operand);
    if (operand !== undefined && target === undefined) {
      throw usage(`"${safeText(operand)}" is neither a name nor an address`);
    }
    if (name !== undefined && target?.kind !== "site") throw usage(`it does not take "${safeText(name)}" as well`);
    if (target?.kind === "torrent") return await downloadOperand(this.#context, this.#values, target.operand);
    if (target?.kind === "site") return await this.#fromSite(target, name);
    return await this.#fromNetwork(target?.name);
  }

  get #network() {
    return { network: this.#context.network, signal: this.#context.stop };
  }

  /** What is shared at an address: the only one, the one that is named, or the one that the person chooses. */
  async #fromSite(target: ShareTarget & { kind: "site" }, name: string | undefined): Promise<ExitCode> {
    const site = await listShares({ hosts: [target.host], port: target.port }, this.#network);
    const all = sharesOf(site);
    const fits = all.filter((share) => target.path === `/${share.infoHash}.torrent`);
    const shares = fits.length > 0 ? fits : name === undefined ? all : all.filter((share) => hasName(share, name));
    if (this.#values.list) return this.#tellList(shares);
    const doing = `get ${name === undefined ? "from" : `${safeText(name)} from`} ${target.host}`;
    if (all.length === 0) throw new UserError(doing, "nothing is shared there");
    if (shares.length === 0) throw new UserError(doing, "nothing of that name is shared there", { hint: hintOf(all) });
    const chosen = shares.length === 1 ? shares[0] : await this.#choose(shares, doing);
    return chosen === undefined ? ExitCode.done : await this.#take(chosen, site);
  }

  /** What is found by looking around: under a name, or all of it. */
  async #fromNetwork(name: string | undefined): Promise<ExitCode> {
    if (this.#values.noDiscovery) throw usage("without discovery it needs the address of a share");
    const search = await ShareSearch.start(this.#context, this.#values);
    try {
      const { terminal } = this.#context;
      const canAsk = terminal.stdinIsTerminal && terminal.stderrIsTerminal;
      // A script never takes what it did not name: anybody on the network can offer something.
      if (this.#values.list || (name === undefined && !canAsk)) return this.#tellList(await search.list(name));
      const shares = name === undefined ? await search.all() : await search.named(name);
      if (name !== undefined && shares.length === 0) return await this.#fromHostName(name, search);
      const isSure = name !== undefined && shares.length === 1;
      const chosen = isSure ? shares[0] : await this.#choose(shares, `get ${safeText(name ?? "")}`);
      search.close();
      return chosen === undefined ? ExitCode.done : await this.#take(chosen);
    } finally {
      search.close();
    }
  }

  /** No share is called that; a machine may be. @throws UserError */
  async #fromHostName(name: string, search: ShareSearch): Promise<ExitCode> {
    if (!isLocalName(name)) throw search.notFound(name);
    search.close();
    return await this.#fromSite({ kind: "site", host: name, port: undefined, path: "/" }, undefined);
  }

  #tellList(shares: readonly FoundShare[]): ExitCode {
    tellShares(this.#context, shares);
    return ExitCode.done;
  }

  /** @throws UserError where nobody can be asked */
  async #choose(shares: readonly FoundShare[], doing: string): Promise<FoundShare | undefined> {
    const { terminal } = this.#context;
    if (terminal.stdinIsTerminal && terminal.stderrIsTerminal) return await askForShare(this.#context, shares);
    throw new UserError(doing, `${shares.length} shares are there`, { exitCode: ExitCode.usage, hint: hintOf(shares) });
  }

  /** Fetches the torrent and then what it describes. @param reached the machine, where it was asked already */
  async #take(share: FoundShare, reached?: SharingHost): Promise<ExitCode> {
    const site = reached ?? await reachSource(share, this.#network);
    const pin = share.infoHash === undefined ? await this.#askForPin(share) : undefined;
    const metainfo = await fetchShareTorrent(site, share, { ...this.#network, pin });
    const facts = `${formatSize(share.totalLength)} in ${formatCount(share.fileCount, "file")}`;
    this.#context.log(`taking ${safeText(share.name)}, ${facts}, from ${share.sources.map(sourceName).join(", ")}`);
    const others = share.infoHash === undefined
      ? []
      : share.sources.flatMap(({ hosts, peerPort }) => hosts.map((host) => ({ host, port: peerPort })));
    const peers = [{ host: site.host, port: site.listing.peerPort }, ...others];
    return await fetchTorrent(this.#context, this.#values, {
      metainfo: withTracker(metainfo, site),
      peers: peers.filter(({ host }) => canonicalHost(host) !== undefined),
    });
  }

  /** The PIN as it was given, or as somebody types it. @throws UserError where it is missing */
  async #askForPin(share: FoundShare): Promise<string> {
    const { terminal } = this.#context;
    const doing = `get ${safeText(share.name)}`;
    let { pin } = this.#values;
    if (pin === undefined && terminal.stdinIsTerminal && terminal.stderrIsTerminal) {
      this.#context.err("PIN: ");
      pin = await this.#context.readLine();
    }
    if (pin === undefined || pin.trim() === "") {
      const hint = "ask the person who shares it: localbt get … --pin PIN";
      throw new UserError(doing, "it needs a PIN", { exitCode: ExitCode.usage, hint });
    }
    return checkPin(pin);
  }
}

function usage(why: string): UserError {
  return new UserError("run get", why, { exitCode: ExitCode.usage, hint: "see localbt get --help" });
}

/** How to say which one is meant: by name at an address, where names differ; else by address. */
function hintOf(shares: readonly FoundShare[]): string {
  const choices = shares.slice(0, 8).map(({ name, sources: [{ hosts, port }] }) => {
    const address = port === sharePort ? hosts[0] : formatEndpoint({ host: hosts[0], port });
    return `localbt get ${address} "${safeText(name)}"`;
  });
  return `say which: ${choices.join(", or ")}`;
}

function sharesOf({ host, port, listing }: SharingHost): FoundShare[] {
  const { host: hostName, peerPort, shares } = listing;
  return shares.map((share) => ({
    ...share,
    sources: [{ hostName, hosts: [host], port, peerPort, index: share.index }],
  }));
}

/** The tracker at the address that we reached is the first to be asked. */
function withTracker(metainfo: Metainfo, { host, port }: SharingHost): Metainfo {
  if (canonicalHost(host) === undefined) return metainfo;
  // A tracker's URL cannot name the interface that a link-local address needs.
  if (isLinkLocal6(host)) return metainfo;
  const url = `${originOf({ host, port })}/announce`;
  const others = metainfo.announce.map((tier) => tier.filter((other) => other !== url));
  return { ...metainfo, announce: [[url], ...others.filter((tier) => tier.length > 0)] };
}
