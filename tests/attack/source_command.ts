/** How the scripts of attackers and honest ones are started: from source, whatever the victim is. */
import { localbtCommand } from "../interop/localbt.ts";

/** `deno run` with the imports that this process has. */
export function sourceCommand(): string[] {
  const binary = Deno.env.get("LOCALBT_BIN");
  Deno.env.delete("LOCALBT_BIN");
  const [, ...fromSource] = localbtCommand();
  if (binary !== undefined) Deno.env.set("LOCALBT_BIN", binary);
  return [Deno.execPath(), ...fromSource.slice(0, -1)];
}
