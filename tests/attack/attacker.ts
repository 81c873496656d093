/**
 * The attacker's process: runs one attack by name until it is killed. Its arguments are the name and the target as JSON.
 *
 * It is a process of its own so that its death takes every connection with it, and so that it can be made to yield the
 * processor to those that are measured.
 */
import type { Target } from "./attack.ts";
import { attacks } from "./attacks.ts";

const [name, target] = Deno.args;
const attack = attacks.find((attack) => attack.name === name);
if (attack === undefined || target === undefined) throw new Error(`no attack ${name}`);
// what the victim does to our connections is its right: only the runner judges
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  console.error(event.reason);
});
// the runner says when: to load all this takes time that is no part of the attack
const go = new Promise<void>((resolve) => Deno.addSignalListener("SIGUSR1", resolve));
console.log("loaded");
await go;
await attack.run(JSON.parse(target) as Target, () => console.log("ready"));
await new Promise<never>(() => {});
