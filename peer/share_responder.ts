/**
 * The shares of this machine as services of multicast DNS: claims their names, announces them, answers who asks, takes
 * them back (RFC 6762, RFC 6763).
 *
 * Owns the moments and what is said; the sockets are peer/io/share_announcer.ts's. Every record lives under names of this
 * run alone, the machine's name included, so that another responder's records (avahi's) are never touched. Nothing that
 * others send makes it keep anything but the time of its next answer.
 */
import type { DnsMessage, DnsRecord } from "../lib/dns_message.ts";
import { isIpv6 } from "../lib/endpoint.ts";
import { mdnsRepeatMs, mdnsUnicastPerSecondMax, shareTtlSeconds } from "../lib/limits/shares.ts";
import {
  allServices,
  encodeShareText,
  instanceName,
  mdnsPort,
  serviceType,
  type ShareService,
} from "../lib/share_service.ts";

/** A message for a link, whose own addresses it is to carry. */
export type LinkMessage = (hosts: readonly string[]) => DnsMessage;

/** Milliseconds between two probes, and from the last of three to the announcement. */
const probeMs = 250;
const probeCount = 3;
/** Milliseconds to wait when another claims the same name at the same time and comes first. */
const deferMs = 1_000;
/** The same after so many conflicts: somebody may want to keep us busy. */
const conflictsMax = 15;
const conflictPauseMs = 5_000;
const announcementCount = 2;
const announcementMs = 1_000;
/** Milliseconds before an answer: others may know it too and are not to speak all at once. */
const answerDelayMs = { min: 20, max: 100 } as const;

/** One share and how far its announcement is. */
interface Offer {
  readonly share: ShareService;
  name: string;
  number: number;
  conflictCount: number;
  probesLeft: number;
  announcementsLeft: number;
  /** When the next probe, announcement or answer is due. */
  dueAt: number;
  answeredAt: number;
}

export interface ShareResponderOptions {
  readonly shares: readonly ShareService[];
  /** The TCP port of the page. */
  readonly port: number;
  /** A word of this run: letters and digits. */
  readonly hostId: string;
  readonly now: number;
  /** A number in [0, 1). */
  random(): number;
}

export class ShareResponder {
  readonly #options: ShareResponderOptions;
  readonly #hostTarget: string;
  readonly #offers: Offer[];
  #typesDueAt = Infinity;
  #unicastSecond = -Infinity;
  #unicastCount = 0;

  constructor(options: ShareResponderOptions) {
    this.#options = options;
    this.#hostTarget = `localbt-${options.hostId}.local`;
    this.#offers = options.shares.map((share) => ({
      share,
      name: instanceName(share, 1),
      number: 1,
      conflictCount: 0,
      probesLeft: probeCount,
      announcementsLeft: announcementCount,
      dueAt: options.now + probeMs * options.random(),
      answeredAt: -Infinity,
    }));
  }

  /** The names under which the shares are known now. */
  get instanceNames(): string[] {
    return this.#offers.map(({ name }) => name);
  }

  /** When `tick` has something to send: monotonic ms. */
  get wakeAt(): number {
    return Math.min(this.#typesDueAt, ...this.#offers.map(({ dueAt }) => dueAt));
  }

  /** What is due, to be sent to the group. */
  tick(now: number): LinkMessage[] {
    const messages = this.#offers.filter(({ dueAt }) => dueAt <= now).map((offer) => this.#next(offer, now));
    if (this.#typesDueAt <= now) {
      this.#typesDueAt = Infinity;
      messages.push(() => response([typePointer()]));
    }
    return messages;
  }

  /** Takes in what came from the group, our own packets included. */
  hear(message: DnsMessage, now: number): void {
    if (message.isResponse) return this.#hearAnswers(message, now);
    // Our own probe comes back to us too.
    if (message.authorities.some((record) => record.type === "SRV" && this.#isOurs(record))) return;
    for (const offer of this.#offers) {
      if (offer.probesLeft > 0) this.#hearProbe(offer, message, now);
      else if (this.#isAsked(offer, message) && !knows(message, offer.name)) this.#answerSoon(offer, now);
    }
    if (message.questions.some(({ name }) => name === allServices)) this.#typesDueAt = this.#soon(now);
  }

  /**
   * The answer to somebody who asked from another port than that of multicast DNS, and hears no group (RFC 6762 6.7).
   *
   * @returns undefined where there is nothing to say, or too many ask
   */
  answerAlone(message: DnsMessage, sender: { port: number }, now: number): LinkMessage | undefined {
    if (message.isResponse || sender.port === mdnsPort) return undefined;
    const asked = this.#offers.filter((offer) => offer.probesLeft === 0 && this.#isAsked(offer, message));
    if (asked.length === 0) return undefined;
    if (now - this.#unicastSecond >= 1_000) [this.#unicastSecond, this.#unicastCount] = [now, 0];
    if (++this.#unicastCount > mdnsUnicastPerSecondMax) return undefined;
    return (hosts) => {
      const { answers, additionals } = this.#records(asked[0], hosts);
      const alone = (record: DnsRecord): DnsRecord => ({ ...record, ttl: 10, isUnique: false });
      const { id, questions } = message;
      return {
        ...response(answers.map(alone)),
        id,
        questions: questions.slice(0, 4),
        additionals: additionals.map(alone),
      };
    };
  }

  /** What takes everything back. */
  goodbye(): LinkMessage[] {
    const gone = (record: DnsRecord): DnsRecord => ({ ...record, ttl: 0 });
    return this.#offers.filter(({ probesLeft }) => probesLeft === 0).map((offer) => (hosts) => {
      const { answers, additionals } = this.#records(offer, hosts);
      return response([...answers, ...additionals].map(gone));
    });
  }

  #next(offer: Offer, now: number): LinkMessage {
    if (offer.probesLeft > 0) {
      offer.probesLeft--;
      offer.dueAt = now + probeMs;
      // The question and what we want to say of the name (section 8.1).
      return () => ({
        ...response([]),
        isResponse: false,
        questions: [{ name: offer.name, type: "ANY" }],
        authorities: [this.#place(offer)],
      });
    }
    if (offer.announcementsLeft > 0) offer.announcementsLeft--;
    offer.dueAt = offer.announcementsLeft > 0 ? now + announcementMs : Infinity;
    offer.answeredAt = now;
    return (hosts) => {
      const { answers, additionals } = this.#records(offer, hosts);
      return { ...response(answers), additionals };
    };
  }

  #hearAnswers({ answers, additionals }: DnsMessage, now: number): void {
    for (const record of [...answers, ...additionals]) {
      if (record.type !== "SRV" || record.ttl === 0) continue;
      const offer = this.#offers.find(({ name }) => name.toLowerCase() === record.name.toLowerCase());
      if (offer !== undefined && !this.#isOurs(record)) this.#rename(offer, now);
    }
  }

  /** Another claims the same name at this moment: whose data is later in order wins (section 8.2). */
  #hearProbe(offer: Offer, { questions, authorities }: DnsMessage, now: number): void {
    if (!questions.some(({ name }) => name.toLowerCase() === offer.name.toLowerCase())) return;
    const theirs = authorities.find((record) =>
      record.type === "SRV" && record.name.toLowerCase() === offer.name.toLowerCase()
    );
    if (theirs?.type !== "SRV" || this.#isOurs(theirs)) return;
    const ours = this.#place(offer);
    const isTheirsLater = theirs.port === ours.port ? theirs.target > ours.target : theirs.port > ours.port;
    if (!isTheirsLater) return;
    offer.probesLeft = probeCount;
    offer.dueAt = now + deferMs;
  }

  #rename(offer: Offer, now: number): void {
    offer.conflictCount++;
    offer.number++;
    offer.name = instanceName(offer.share, offer.number);
    offer.probesLeft = probeCount;
    offer.announcementsLeft = announcementCount;
    offer.dueAt = now + (offer.conflictCount > conflictsMax ? conflictPauseMs : probeMs * this.#options.random());
  }

  #isOurs({ target, port }: { target: string; port: number }): boolean {
    return target === this.#hostTarget && port === this.#options.port;
  }

  #isAsked(offer: Offer, { questions }: DnsMessage): boolean {
    return questions.some(({ name, type }) => {
      if (name === serviceType) return type === "PTR" || type === "ANY";
      if (name === this.#hostTarget) return ["A", "AAAA", "ANY"].includes(type);
      return name.toLowerCase() === offer.name.toLowerCase() && ["SRV", "TXT", "ANY"].includes(type);
    });
  }

  #answerSoon(offer: Offer, now: number): void {
    offer.dueAt = Math.min(offer.dueAt, Math.max(this.#soon(now), offer.answeredAt + mdnsRepeatMs));
  }

  #soon(now: number): number {
    return now + answerDelayMs.min + (answerDelayMs.max - answerDelayMs.min) * this.#options.random();
  }

  #place(offer: Offer) {
    const { port } = this.#options;
    const [name, target] = [offer.name, this.#hostTarget];
    return { name, ttl: shareTtlSeconds, isUnique: false, type: "SRV", target, port } as const;
  }

  #records(offer: Offer, hosts: readonly string[]): { answers: DnsRecord[]; additionals: DnsRecord[] } {
    const [ttl, name] = [shareTtlSeconds, offer.name];
    const entries = encodeShareText(offer.share);
    return {
      answers: [{ name: serviceType, ttl, isUnique: false, type: "PTR", target: name }],
      additionals: [
        { ...this.#place(offer), isUnique: true },
        { name, ttl, isUnique: true, type: "TXT", entries },
        ...hosts.map((host): DnsRecord => {
          return { name: this.#hostTarget, ttl, isUnique: true, type: isIpv6(host) ? "AAAA" : "A", host };
        }),
      ],
    };
  }
}

function response(answers: readonly DnsRecord[]): DnsMessage {
  return { id: 0, isResponse: true, questions: [], answers, authorities: [], additionals: [] };
}

function typePointer(): DnsRecord {
  return { name: allServices, ttl: shareTtlSeconds, isUnique: false, type: "PTR", target: serviceType };
}

/** Whether the asker says that he has our answer, and for long enough (RFC 6762 section 7.1). */
function knows({ answers }: DnsMessage, instance: string): boolean {
  return answers.some((record) =>
    record.type === "PTR" && record.name === serviceType && record.target.toLowerCase() === instance.toLowerCase() &&
    record.ttl >= shareTtlSeconds / 2
  );
}
