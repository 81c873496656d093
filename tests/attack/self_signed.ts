/** A TLS server that nobody vouches for: its certificate, for localhost and 127.0.0.1, is signed by itself alone. */

const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAH318J/oWRidu5z/
0AwbUSQMn/e0zwDE+NxQRjBqXlehRANCAASFtUah/iNOK6C7Jmw80qPXAQn78+WO
2I/N5RtHR+HEmFMG0NGduM4Pg5UXGFyk/VeqUC1sVzJgP9C0rnWIYUXq
-----END PRIVATE KEY-----
`;
const cert = `-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUPE9RtMazmJGfdLfDrinERbyd8WYwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzAyMDI0NloYDzIxMjYxMDMw
MDIwMjQ2WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASFtUah/iNOK6C7Jmw80qPXAQn78+WO2I/N5RtHR+HEmFMG0NGduM4P
g5UXGFyk/VeqUC1sVzJgP9C0rnWIYUXqo28wbTAdBgNVHQ4EFgQUkJ/oBNzphV98
amAywgXZPFOrdu8wHwYDVR0jBBgwFoAUkJ/oBNzphV98amAywgXZPFOrdu8wDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSQAwRgIhALRRcDYAHRKzVoHOnT09lDgTfZIBEQ1duLIs0JcQxbO9AiEA
lry++SF6xzvggOUdLcXOpcMHhCOf6UIfSK3E9uUsHdg=
-----END CERTIFICATE-----
`;

export class SelfSignedServer implements AsyncDisposable {
  readonly #listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, key, cert });
  readonly origin = `https://127.0.0.1:${this.#listener.addr.port}`;
  /** What came through the encryption, from clients that did not mind. */
  heard = "";
  /** Connections that were begun. */
  count = 0;
  readonly #serving = this.#serve();

  async #serve(): Promise<void> {
    for (;;) {
      let connection: Deno.TlsConn;
      try {
        connection = await this.#listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
        continue;
      }
      this.count++;
      const buffer = new Uint8Array(4096);
      const count = await connection.read(buffer).catch(() => null);
      if (count !== null) this.heard += new TextDecoder().decode(buffer.subarray(0, count));
      connection.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
  }
}
