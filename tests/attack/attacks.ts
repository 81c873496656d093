/** Every attack there is. */
import type { Attack } from "./attack.ts";
import { connectionAttacks } from "./connection_attacks.ts";
import { datagramAttacks } from "./datagram_attacks.ts";
import { requestAttacks } from "./request_attacks.ts";

export const attacks: readonly Attack[] = [...connectionAttacks, ...requestAttacks, ...datagramAttacks];
