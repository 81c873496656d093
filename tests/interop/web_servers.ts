/** Plain web servers that have a folder: nginx, as it serves most of the web, and what Python brings along. */
import { freePort } from "./free_port.ts";
import { type Need, runs } from "./installed.ts";
import { join } from "./path.ts";
import type { Scene } from "./scene.ts";
import type { Child } from "./child.ts";
import { waitFor } from "./wait.ts";

export interface WebServer {
  readonly child: Child;
  /** `http://127.0.0.1:port`; the folder is its root. */
  readonly origin: string;
  readonly port: number;
}

export interface WebServerKind extends Need {
  /** It ends with the scene. */
  start(scene: Scene, folder: string, options?: { port?: number; bytesPerSecond?: number }): Promise<WebServer>;
}

export const nginx: WebServerKind = {
  name: "nginx",
  isInstalled: () => runs(["nginx", "-v"]),
  async start(scene, folder, { port = freePort(), bytesPerSecond } = {}) {
    const home = scene.newFolder("nginx");
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((kind) => `${kind}_temp_path ${join(home, kind)};`).join(" ");
    const config = join(home, "nginx.conf");
    Deno.writeTextFileSync(
      config,
      `daemon off; master_process off; pid ${join(home, "pid")}; error_log stderr; ${
        Deno.uid() === 0 ? "user root;" : ""
      }
      events {}
      http {
        access_log off; ${temporary} ${bytesPerSecond === undefined ? "" : `limit_rate ${bytesPerSecond};`}
        server { listen 127.0.0.1:${port}; root ${folder}; }
      }`,
    );
    const child = scene.start({ name: "nginx", command: ["nginx", "-c", config, "-p", home, "-e", "stderr"] });
    return await ready(child, port);
  },
};

/** It answers every request with a whole file. */
export const pythonServer: WebServerKind = {
  name: "python3",
  isInstalled: () => runs(["/usr/bin/python3", "-c", "import http.server"]),
  async start(scene, folder, { port = freePort() } = {}) {
    const command = [
      "/usr/bin/python3",
      "-m",
      "http.server",
      "--bind",
      "127.0.0.1",
      "--directory",
      folder,
      String(port),
    ];
    return await ready(scene.start({ name: "python's web server", command }), port);
  },
};

async function ready(child: Child, port: number): Promise<WebServer> {
  await waitFor(`the port of ${child.name}`, async () => {
    if (!child.isRunning) throw child.failure("did not start");
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return true;
    } catch {
      return undefined;
    }
  }, 10_000);
  return { child, origin: `http://127.0.0.1:${port}`, port };
}
