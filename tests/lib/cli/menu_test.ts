import { assertEquals, assertStringIncludes } from "@std/assert";
import { runMenu } from "../../../lib/cli/menu.ts";
import { ExitCode } from "../../../lib/errors.ts";
import { makeContext } from "../../cli/test_context.ts";

/** Types the lines into the menu; the command lines that it ran. */
async function play(input: string[], codeOf: (argv: string[]) => ExitCode = () => ExitCode.done) {
  const ran: string[][] = [];
  const context = makeContext({ input });
  const code = await runMenu(context, (argv) => {
    ran.push(argv);
    return Promise.resolve(codeOf(argv));
  });
  return { ran, code, screen: context.stderr() };
}

Deno.test("runMenu() lists the ten choices in order and quits", async () => {
  const { ran, code, screen } = await play(["10"]);
  assertEquals([ran, code], [[], ExitCode.done]);
  const first = screen.split("\n").filter((line) => /^ +\d+\./.test(line)).map((line) => line.trim().split(" ")[1]);
  assertEquals(first, ["share", "get", "create", "show", "seed:", "download", "download,", "run", "demo:", "quit"]);
});

Deno.test("runMenu() asks for what each command needs and runs it", async () => {
  const { ran } = await play([
    ...["1", "holiday"],
    ...["2", "", ""],
    ...["2", "holiday", "D:\\in here"],
    ...["3", "my folder", "http://10.0.0.2:6969/announce http://b/announce"],
    ...["4", "a.torrent"],
    ...["5", "a.torrent", ""],
    ...["6", "a.torrent", "", ""],
    ...["7", "a.torrent", "D:\\in here", "10.0.0.2:6881 [::1]:6881"],
    ...["8", "7000"],
    ...["9"],
    ...["quit"],
  ]);
  assertEquals(ran, [
    ["share", "holiday"],
    ["get"],
    ["get", "--output=D:\\in here", "holiday"],
    ["create", "--announce=http://10.0.0.2:6969/announce", "--announce=http://b/announce", "my folder"],
    ["info", "a.torrent"],
    ["seed", "a.torrent"],
    ["download", "a.torrent"],
    [
      "download",
      "--strategy=rarest-first",
      "--output=D:\\in here",
      "--peer=10.0.0.2:6881",
      "--peer=[::1]:6881",
      "a.torrent",
    ],
    ["tracker", "--port=7000"],
    ["demo"],
  ]);
});

Deno.test("runMenu() shows the command line that it runs", async () => {
  const { screen } = await play(["4", "my file.torrent"]);
  assertStringIncludes(screen, '> localbt info "my file.torrent"\n');
});

Deno.test("runMenu() takes the quotes off a path that was dropped on the terminal, and keeps a leading dash a name", async () => {
  const { ran } = await play(["4", " '/home/me/my file.torrent' ", "4", "-odd.torrent"]);
  assertEquals(ran, [["info", "/home/me/my file.torrent"], ["info", "--", "-odd.torrent"]]);
});

Deno.test("runMenu() asks again after nonsense and after an empty answer that has no preset", async () => {
  const { ran, screen } = await play(["", "11", "1e0", "two", "4", "", "a.torrent"]);
  assertEquals(ran, [["info", "a.torrent"]]);
  assertEquals(screen.split("Please type a number from 1 to 10.").length - 1, 4);
});

Deno.test("runMenu() goes on after a command that failed, and ends with its exit code when stdin ends", async () => {
  const { ran, code } = await play(["4", "bad", "4", "good", "4"], ([, file]) => {
    return file === "bad" ? ExitCode.notATorrent : ExitCode.done;
  });
  assertEquals([ran.length, code], [2, ExitCode.done]);
  const failed = await play(["4", "bad"], () => ExitCode.notATorrent);
  assertEquals(failed.code, ExitCode.notATorrent);
});

Deno.test("runMenu() ends when the run is stopped", async () => {
  const context = makeContext({ input: ["9", "9", "9"] });
  let runs = 0;
  await runMenu(context, () => {
    runs++;
    context.interrupt();
    return Promise.resolve(ExitCode.interrupted);
  });
  assertEquals(runs, 1);
});
