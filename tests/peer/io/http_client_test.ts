import { assert, assertEquals, assertRejects } from "@std/assert";
import { fetchFollowing, isPrivate, RedirectError } from "../../../peer/io/http_client.ts";

const signal = new AbortController().signal;

/** Runs `body` while every fetch is answered by a redirect to `location`. */
async function redirectedTo(location: string, body: () => Promise<void>): Promise<void> {
  const realFetch = globalThis.fetch;
  globalThis.fetch = () => Promise.resolve(new Response(null, { status: 302, headers: { location } }));
  try {
    await body();
  } finally {
    globalThis.fetch = realFetch;
  }
}

Deno.test("fetchFollowing() follows no redirect out of TLS", async () => {
  await redirectedTo("http://192.0.2.2/file", async () => {
    const follow = () => fetchFollowing(new URL("https://192.0.2.1/file"), { signal, headers: {} });
    await assertRejects(follow, RedirectError, "it redirects out of TLS");
  });
});

Deno.test("isPrivate() looks at the addresses behind a name", async () => {
  const behind = (address: string) => (_name: string, type: "A" | "AAAA") =>
    type === (address.includes(":") ? "AAAA" : "A")
      ? Promise.resolve([address])
      : Promise.reject(new Deno.errors.NotFound());
  const url = new URL("http://files.example.org/");
  for (const address of ["10.0.0.1", "127.0.0.1", "192.168.7.7", "fe80::1", "fd00::1", "::1"]) {
    assert(await isPrivate(url, behind(address)), address);
  }
  for (const address of ["192.0.2.1", "2001:db8::1"]) {
    assertEquals(await isPrivate(url, behind(address)), false, address);
  }
});

Deno.test("isPrivate() judges a name that cannot be looked up by the kind of name it is", async () => {
  const unknown = () => Promise.reject(new Deno.errors.NotFound());
  assertEquals(await isPrivate(new URL("http://files.example.org/"), unknown), false);
  for (const name of ["nas", "nas.local", "router.lan", "localhost", "a.home.arpa."]) {
    assert(await isPrivate(new URL(`http://${name}/`), unknown), name);
  }
});
