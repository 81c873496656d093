/**
 * Whom to unchoke: a pure function of the peers, run once a round (BEP 3, with the slots of a LAN).
 *
 * While there are no more interested peers than slots, all are unchoked. Beyond that a downloader favours who gives most,
 * a seeder lets everyone have a turn, and some slots go around by chance so that newcomers get their first pieces.
 */
import { chokeRoundMs, optimisticMs, optimisticSlots, unchokeSlots } from "../lib/limits/transfer.ts";

/** What the choice depends on. */
export interface ChokeCandidate {
  readonly isInterested: boolean;
  readonly isUnchoked: boolean;
  /** When it was last choked or unchoked (monotonic ms). */
  readonly changedAt: number;
  /** Bytes a second that it gives us. */
  readonly downRate: number;
}

/**
 * The peers that are to be unchoked from now on.
 *
 * @param isSeeding we have all: turns are given by time, not by what comes back
 */
export function chooseUnchoked<Candidate extends ChokeCandidate>(
  candidates: readonly Candidate[],
  { isSeeding, now, random, slots = unchokeSlots }: {
    isSeeding: boolean;
    now: number;
    random: () => number;
    slots?: number;
  },
): Set<Candidate> {
  const interested = candidates.filter((candidate) => candidate.isInterested);
  if (interested.length <= slots) return new Set(interested);
  const optimisticCount = Math.min(optimisticSlots, Math.floor(slots / 2));
  const ranked = isSeeding ? rankByTurn(interested, now) : interested.toSorted((a, b) => b.downRate - a.downRate);
  const chosen = new Set(ranked.slice(0, slots - optimisticCount));
  const rest = interested.filter((candidate) => !chosen.has(candidate));
  for (const candidate of rest) {
    if (chosen.size === slots) break;
    if (candidate.isUnchoked && now - candidate.changedAt < optimisticMs) chosen.add(candidate);
  }
  const others = rest.filter((candidate) => !chosen.has(candidate));
  while (chosen.size < slots) {
    const [lucky] = others.splice(Math.floor(random() * others.length), 1);
    chosen.add(lucky);
  }
  return chosen;
}

/** Who began a turn less than two rounds ago keeps it; then who has waited longest; then who has had longest. */
function rankByTurn<Candidate extends ChokeCandidate>(candidates: readonly Candidate[], now: number): Candidate[] {
  const rank = (candidate: Candidate) =>
    !candidate.isUnchoked ? 1 : now - candidate.changedAt < 2 * chokeRoundMs ? 0 : 2;
  return candidates.toSorted((a, b) =>
    rank(a) - rank(b) || (rank(a) === 2 ? b.changedAt - a.changedAt : a.changedAt - b.changedAt)
  );
}
