import { assertEquals, assertInstanceOf } from "@std/assert";
import { UserError } from "../../../lib/errors.ts";
import { diskError, errorOfFailure, isLoss, patienceWith } from "../../../lib/io/disk_error.ts";

const failureOf = (code: string) => errorOfFailure({ doing: "read", path: "/a", code, message: "says the system" });

Deno.test("errorOfFailure() tells a person what cannot be done, and why", () => {
  const error = failureOf("ENOSPC");
  assertInstanceOf(error, UserError);
  assertEquals([error.name, error.message], ["UserError", "cannot read /a: the disk is full"]);
  assertEquals(failureOf("EWEIRD").message, "cannot read /a: says the system");
  assertEquals(diskError("write", "/b", error), error);
});

Deno.test("isLoss() tells files that are gone from a machine that is short of something", () => {
  assertEquals(["ENOENT", "EIO", "EACCES", ""].map((code) => isLoss(failureOf(code))), [true, true, true, true]);
  assertEquals(["EMFILE", "ENFILE", "ENOMEM", "EAGAIN"].some((code) => isLoss(failureOf(code))), false);
  assertEquals([isLoss(new Error("a fault of ours")), isLoss(new UserError("read", "why"))], [false, false]);
});

Deno.test("patienceWith() waits for room, tries again what may pass, and gives up what stays", () => {
  const patienceOf = (code: string) => patienceWith(failureOf(code));
  assertEquals(["ENOSPC", "EDQUOT"].map(patienceOf), ["long", "long"]);
  assertEquals(["EIO", "ESTALE", "EMFILE"].map(patienceOf), ["brief", "brief", "brief"]);
  assertEquals(["EROFS", "EACCES", "ENOENT", "EFBIG", "ENODEV", ""].map(patienceOf), Array(6).fill("none"));
  assertEquals(patienceWith(new Error("a bug")), "none");
});
