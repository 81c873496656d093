/** Waiting for a condition of the world that no event tells of. */

/** Milliseconds between two looks. */
const lookEveryMs = 40;

/**
 * Asks `look` again and again until it gives a value.
 *
 * @throws when the deadline passes; the message names `what`
 */
export async function waitFor<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  deadlineMs: number,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (performance.now() > end) throw new Error(`${what}: not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}
