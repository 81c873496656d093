/**
 * Who asks for a block that it was sent already: it found the piece wrong, or forgot it. Before it is sent a second time
 * the piece is hashed, so that no peer ever gets the same wrong bytes twice, whatever spoiled them and whoever vouched.
 *
 * Owns what each peer was sent, also for a while after it left, and the pieces that are being hashed for that. What that
 * costs is bounded for each peer by what it takes.
 */
import { type Endpoint, formatEndpoint } from "../lib/endpoint.ts";
import type { PieceIndex } from "../lib/ids.ts";
import type { Layout } from "../lib/layout.ts";
import { recheckSlackBytes, sentRecordsMax } from "../lib/limits/transfer.ts";
import type { CheckedBlockRange, Effect } from "./events.ts";
import type { PeerSession } from "./peer_session.ts";
import { SentBlocks } from "./sent_blocks.ts";

export class SecondAskers {
  readonly #layout: Layout;
  readonly #emit: (effect: Effect) => void;
  /** Pieces that are being hashed, and who waits for that. */
  readonly #checks = new Map<PieceIndex, Set<PeerSession>>();
  readonly #sent = new Map<PeerSession, SentBlocks>();
  #last: { readonly session: PeerSession; readonly sent: SentBlocks } | undefined;
  /** What peers were sent that are gone, by address; who left last is last. */
  readonly #gone = new Map<string, SentBlocks>();

  constructor({ layout, emit }: { layout: Layout; emit: (effect: Effect) => void }) {
    this.#layout = layout;
    this.#emit = emit;
  }

  /** Whether the block may be sent. `later`: once `settle` was called for its piece. */
  judge(session: PeerSession, range: CheckedBlockRange): "now" | "later" | "never" {
    const waiting = this.#checks.size > 0 ? this.#checks.get(range.piece) : undefined;
    if (waiting !== undefined) {
      waiting.add(session);
      return "later";
    }
    const sent = this.#sentTo(session);
    if (!sent.has(range)) return "now";
    const length = this.#layout.lengthOfPiece(range.piece);
    if (sent.checkedBytes + length > sent.sentBytes + recheckSlackBytes) return "never";
    sent.checkedBytes += length;
    this.#checks.set(range.piece, new Set([session]));
    this.#emit({ kind: "checkPiece", piece: range.piece });
    return "later";
  }

  /** The block leaves. */
  sent(session: PeerSession, range: CheckedBlockRange): void {
    this.#sentTo(session).add(range);
  }

  /** The piece was hashed: returns who waits for it. */
  settle(piece: PieceIndex): PeerSession[] {
    const waiting = [...this.#checks.get(piece) ?? []];
    this.#checks.delete(piece);
    for (const session of waiting) this.#sent.get(session)?.forget(piece);
    return waiting;
  }

  onGone(session: PeerSession): void {
    for (const waiting of this.#checks.values()) waiting.delete(session);
    const sent = this.#sent.get(session);
    this.#sent.delete(session);
    this.#last = undefined;
    if (sent === undefined || session.listenEndpoint === undefined) return;
    sent.closeAll();
    this.#remember(session.listenEndpoint, sent);
  }

  /** Dozens of blocks leave for one peer before it is another's turn. */
  #sentTo(session: PeerSession): SentBlocks {
    if (this.#last?.session !== session) {
      this.#last = { session, sent: this.#sent.get(session) ?? this.#begin(session) };
    }
    return this.#last.sent;
  }

  #begin(session: PeerSession): SentBlocks {
    const key = session.listenEndpoint && formatEndpoint(session.listenEndpoint);
    const sent = (key && this.#gone.get(key)) || new SentBlocks(this.#layout);
    if (key) this.#gone.delete(key);
    this.#sent.set(session, sent);
    return sent;
  }

  #remember(endpoint: Endpoint, sent: SentBlocks): void {
    const key = formatEndpoint(endpoint);
    this.#gone.delete(key);
    this.#gone.set(key, sent);
    if (this.#gone.size <= sentRecordsMax) return;
    for (const oldest of this.#gone.keys()) return void this.#gone.delete(oldest);
  }
}
