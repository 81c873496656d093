/** Every attack there is. */
import type { Attack } from "./attack.ts";
import { connectionAttacks } from "./connection_attacks.ts";
import { datagramAttacks } from "./datagram_attacks.ts";
import { downloadAttacks } from "./download_attacks.ts";
import { requestAttacks } from "./request_attacks.ts";
import { greedAttacks, slotAttacks, stormAttacks } from "./seed_attacks.ts";

export const attacks: readonly Attack[] = [
  ...connectionAttacks,
  ...slotAttacks,
  ...stormAttacks,
  ...greedAttacks,
  ...downloadAttacks,
  ...requestAttacks,
  ...datagramAttacks,
];
