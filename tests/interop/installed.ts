/** Which foreign programs this machine has, and what becomes of a test whose program is missing. */

const known = new Map<string, boolean>();

/** True if the command ends with the exit code 0. */
export function runs(command: readonly string[]): boolean {
  const key = command.join("\0");
  let answer = known.get(key);
  if (answer === undefined) {
    answer = tryRun(command);
    known.set(key, answer);
  }
  return answer;
}

function tryRun([program = "", ...args]: readonly string[]): boolean {
  try {
    return new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return false;
    throw error;
  }
}

/** Something that a test needs of the machine. */
export interface Need {
  readonly name: string;
  isInstalled(): boolean;
}

/**
 * A test that needs something of the machine: without it it is left out with a line that says so.
 *
 * On a build machine (`CI=true`) something missing fails the test instead, so that a green run means what it says.
 */
export function testOn(needs: readonly Need[], name: string, run: () => Promise<void>): void {
  const missing = needs.filter((need) => !need.isInstalled()).map((need) => need.name);
  if (missing.length > 0 && Deno.env.get("CI") === "true") {
    Deno.test(name, () => {
      throw new Error(`not on this machine: ${missing.join(", ")}`);
    });
    return;
  }
  if (missing.length > 0) console.log(`left out: ${name} (not on this machine: ${missing.join(", ")})`);
  Deno.test({ name, ignore: missing.length > 0, fn: run });
}

/** A test with foreign programs, which gets a second try. */
export function interopTest(name: string, needs: readonly Need[], run: () => Promise<void>): void {
  testOn(needs, name, () => runTwiceAtMost(name, run));
}

/** Foreign programs have faults of their own that come and go: a test with them may fail once, and that is printed. */
async function runTwiceAtMost(name: string, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    console.log(`tried again: ${name}: ${error}`);
    await run();
  }
}
