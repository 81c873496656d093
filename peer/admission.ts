/**
 * Who gives way when all places are taken and somebody new comes: a pure choice among the sessions.
 *
 * Whoever takes or gives blocks keeps its place. Those that do nothing with it lose it first, those of a crowded address
 * before others; so a crowd that only sits there keeps nobody out, and a newcomer that does nothing is soon the next.
 */
import { admissionGraceMs, crowdedHostMin, idlePlaceMs, slotIdleMs, turnWaitMs } from "../lib/limits/transfer.ts";
import type { PeerSession } from "./peer_session.ts";

/** From the first to go to the last; undefined keeps its place. */
function rankOf(session: PeerSession, isCrowded: boolean, now: number): number | undefined {
  if (now - session.usefulAt < idlePlaceMs || now - session.connectedAt < admissionGraceMs) return undefined;
  const hasUnusedTurn = !session.amChoking && now - session.chokeChangedAt > 2 * slotIdleMs;
  const wantsNothing = !session.peerInterested && !session.amInterested;
  if (wantsNothing || (session.peerInterested && hasUnusedTurn)) return isCrowded ? 0 : 1;
  const awaitsTurn = session.peerInterested && now - session.connectedAt < turnWaitMs;
  if (isCrowded && !awaitsTurn) return 2;
  // it says that it has what we want, and gives nothing of it
  return !session.peerInterested && now - session.connectedAt > idlePlaceMs ? 3 : undefined;
}

/**
 * The session whose place goes to a newcomer from `host`; undefined when all of them are of use.
 *
 * @param sessions without the newcomer's
 * @param now monotonic ms
 */
export function chooseToGiveWay(
  sessions: Iterable<PeerSession>,
  host: string,
  now: number,
): PeerSession | undefined {
  const all = [...sessions];
  const hostCounts = new Map<string, number>();
  for (const { endpoint } of all) hostCounts.set(endpoint.host, (hostCounts.get(endpoint.host) ?? 0) + 1);
  const crowdedMin = Math.max(crowdedHostMin, 2 * (hostCounts.get(host) ?? 0) + 1);
  let chosen: PeerSession | undefined;
  let chosenRank = Infinity;
  for (const session of all) {
    const rank = rankOf(session, hostCounts.get(session.endpoint.host)! >= crowdedMin, now);
    if (rank !== undefined && rank < chosenRank) [chosen, chosenRank] = [session, rank];
  }
  return chosen;
}
