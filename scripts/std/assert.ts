/** `@std/assert` from npm, with the types that the npm package lacks. Only what the tests use. */
import * as untyped from "deno-std/assert/mod.js";

// deno-lint-ignore no-explicit-any -- constructors of any error class, as @std/assert has it
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

interface Assert {
  assert(condition: unknown, message?: string): asserts condition;
  assertAlmostEquals(actual: number, expected: number, tolerance?: number, message?: string): void;
  assertEquals<T>(actual: T, expected: T, message?: string): void;
  assertExists<T>(actual: T, message?: string): asserts actual is NonNullable<T>;
  assertFalse(condition: unknown, message?: string): void;
  assertGreater<T>(actual: T, expected: T, message?: string): void;
  assertGreaterOrEqual<T>(actual: T, expected: T, message?: string): void;
  assertInstanceOf<T>(
    actual: unknown,
    // deno-lint-ignore no-explicit-any -- constructors of any class
    expected: abstract new (...args: any[]) => T,
    message?: string,
  ): asserts actual is T;
  assertLess<T>(actual: T, expected: T, message?: string): void;
  assertLessOrEqual<T>(actual: T, expected: T, message?: string): void;
  assertMatch(actual: string, expected: RegExp, message?: string): void;
  assertNotEquals<T>(actual: T, expected: T, message?: string): void;
  assertNotMatch(actual: string, expected: RegExp, message?: string): void;
  assertRejects(run: () => PromiseLike<unknown>, message?: string): Promise<unknown>;
  assertRejects<E extends Error>(
    run: () => PromiseLike<unknown>,
    errorClass: ErrorClass<E>,
    messageIncludes?: string,
    message?: string,
  ): Promise<E>;
  assertStrictEquals<T>(actual: unknown, expected: T, message?: string): asserts actual is T;
  assertStringIncludes(actual: string, expected: string, message?: string): void;
  assertThrows(run: () => unknown, message?: string): unknown;
  assertThrows<E extends Error>(
    run: () => unknown,
    errorClass: ErrorClass<E>,
    messageIncludes?: string,
    message?: string,
  ): E;
  fail(message?: string): never;
}

const typed: Assert = untyped;

export const assert: Assert["assert"] = typed.assert;
export const assertAlmostEquals: Assert["assertAlmostEquals"] = typed.assertAlmostEquals;
export const assertEquals: Assert["assertEquals"] = typed.assertEquals;
export const assertExists: Assert["assertExists"] = typed.assertExists;
export const assertFalse: Assert["assertFalse"] = typed.assertFalse;
export const assertGreater: Assert["assertGreater"] = typed.assertGreater;
export const assertGreaterOrEqual: Assert["assertGreaterOrEqual"] = typed.assertGreaterOrEqual;
export const assertInstanceOf: Assert["assertInstanceOf"] = typed.assertInstanceOf;
export const assertLess: Assert["assertLess"] = typed.assertLess;
export const assertLessOrEqual: Assert["assertLessOrEqual"] = typed.assertLessOrEqual;
export const assertMatch: Assert["assertMatch"] = typed.assertMatch;
export const assertNotEquals: Assert["assertNotEquals"] = typed.assertNotEquals;
export const assertNotMatch: Assert["assertNotMatch"] = typed.assertNotMatch;
export const assertRejects: Assert["assertRejects"] = typed.assertRejects;
export const assertStrictEquals: Assert["assertStrictEquals"] = typed.assertStrictEquals;
export const assertStringIncludes: Assert["assertStringIncludes"] = typed.assertStringIncludes;
export const assertThrows: Assert["assertThrows"] = typed.assertThrows;
export const fail: Assert["fail"] = typed.fail;
