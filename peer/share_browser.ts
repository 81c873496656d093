/**
 * What multicast DNS says is shared on this network: answers in, a bounded table of shares out (RFC 6763 section 4).
 *
 * Everybody can say anything, so nothing here is believed further than to be shown and asked: what a share is, its own
 * port tells. Records that belong to no share of ours cost nothing, and a flood of shares ends at the table's bound.
 */
import type { DnsMessage, DnsRecord } from "../lib/dns_message.ts";
import { ProtocolError } from "../lib/errors.ts";
import { browsedHostsMax, browsedSharesMax, shareTtlSeconds } from "../lib/limits/shares.ts";
import { decodeShareText, serviceType, type ShareService } from "../lib/share_service.ts";
import type { FoundShare, ShareSource } from "./found_share.ts";

/** One instance of the service, as far as it is known. */
interface Instance {
  /** Monotonic ms. */
  expiresAt: number;
  place: { readonly target: string; readonly port: number } | undefined;
  service: ShareService | undefined;
}

interface Machine {
  readonly hosts: Set<string>;
}

export class ShareBrowser {
  readonly #instances = new Map<string, Instance>();
  /** Addresses by the names that places lead to. */
  readonly #machines = new Map<string, Machine>();

  /** The question to send to the group. */
  query(): DnsMessage {
    const questions = [{ name: serviceType, type: "PTR" }];
    return { id: 0, isResponse: false, questions, answers: [], authorities: [], additionals: [] };
  }

  /** Takes in what came from the group. */
  hear(message: DnsMessage, now: number): void {
    if (!message.isResponse) return;
    const records = [...message.answers, ...message.additionals];
    for (const record of records) if (record.type === "PTR" && record.name === serviceType) this.#point(record, now);
    for (const record of records) if (record.type === "SRV" || record.type === "TXT") this.#describe(record);
    for (const record of records) if (record.type === "A" || record.type === "AAAA") this.#locate(record);
  }

  /** What is shared now, by name; one share for one info hash, however many machines have it. */
  shares(now: number): FoundShare[] {
    const found = new Map<string, FoundShare>();
    for (const [name, { expiresAt, place, service }] of this.#instances) {
      if (expiresAt <= now || place === undefined || service === undefined) continue;
      const hosts = [...this.#machines.get(place.target)?.hosts ?? []];
      if (hosts.length === 0) continue;
      const { infoHash, totalLength, fileCount, hostName, peerPort, index } = service;
      const source: ShareSource = { hostName, hosts, port: place.port, peerPort, index };
      const key = infoHash ?? name;
      const known = found.get(key);
      if (known === undefined) {
        found.set(key, { name: service.name, infoHash, totalLength, fileCount, sources: [source] });
      } else found.set(key, { ...known, sources: [...known.sources, source] });
    }
    return [...found.values()].sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  }

  #point({ target, ttl }: DnsRecord & { type: "PTR" }, now: number): void {
    const name = target.toLowerCase();
    if (!name.endsWith(`.${serviceType}`)) return;
    if (ttl === 0) return void this.#instances.delete(name);
    const expiresAt = now + 1_000 * Math.min(ttl, shareTtlSeconds);
    const known = this.#instances.get(name);
    if (known !== undefined) known.expiresAt = expiresAt;
    else if (this.#hasRoom(now)) this.#instances.set(name, { expiresAt, place: undefined, service: undefined });
  }

  #hasRoom(now: number): boolean {
    if (this.#instances.size < browsedSharesMax) return true;
    for (const [name, { expiresAt }] of this.#instances) if (expiresAt <= now) this.#instances.delete(name);
    const places = new Set([...this.#instances.values()].map(({ place }) => place?.target));
    for (const name of this.#machines.keys()) if (!places.has(name)) this.#machines.delete(name);
    return this.#instances.size < browsedSharesMax;
  }

  #describe(record: DnsRecord & { type: "SRV" | "TXT" }): void {
    const instance = this.#instances.get(record.name.toLowerCase());
    if (instance === undefined || record.ttl === 0) return;
    if (record.type === "SRV") {
      if (record.port === 0) return;
      instance.place = { target: record.target, port: record.port };
      const isNew = !this.#machines.has(record.target);
      if (isNew && this.#machines.size < browsedSharesMax) this.#machines.set(record.target, { hosts: new Set() });
      return;
    }
    try {
      instance.service = decodeShareText(record.entries);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
  }

  #locate({ name, host, ttl }: DnsRecord & { type: "A" | "AAAA" }): void {
    const hosts = this.#machines.get(name)?.hosts;
    if (hosts === undefined) return;
    if (ttl === 0) hosts.delete(host);
    else if (hosts.size < browsedHostsMax) hosts.add(host);
  }
}
