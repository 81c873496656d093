/**
 * What of a Torrent may be looked at from outside, and never changed: the facts that its invariants speak of.
 *
 * The simulation (tests/sim/world/invariants.ts) holds them against each other after every step.
 */
import type { Availability } from "./availability.ts";
import type { ConnectionId } from "./events.ts";
import type { PeerSession } from "./peer_session.ts";
import type { PiecePicker } from "./piece_picker.ts";
import type { Refusals } from "./refusals.ts";
import type { PieceTable } from "./piece_table.ts";

export interface TorrentView {
  readonly table: Pick<
    PieceTable,
    | ("layout" | "selection" | "have" | "haveBytes" | "lackingBytes" | "haveCount" | "missingCount" | "isComplete")
    | ("isHave" | "isMissing" | "isChecking" | "isToFetch" | "isLacking")
    | ("active" | "activePieces" | "openPieces" | "checkingPieces" | "spareBuffers")
  >;
  readonly picker: Pick<PiecePicker, "count" | "isPickable" | "availabilityOf">;
  readonly availability: Pick<Availability, "wantsNothing" | "isCounted">;
  readonly sessions: ReadonlyMap<ConnectionId, PeerSession>;
  /** Why connections were closed or not taken. */
  readonly refusals: Refusals;
  /** Addresses that are known, and of these being dialled. */
  readonly addressCounts: { readonly known: number; readonly dialing: number };
}
