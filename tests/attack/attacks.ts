/** Every attack there is. */
import type { Attack } from "./attack.ts";
import { connectionAttacks } from "./connection_attacks.ts";

export const attacks: readonly Attack[] = [...connectionAttacks];
