/**
 * The stage of one test: a folder of its own, the children started on it, and their end however the test goes.
 *
 * Use it as `await using scene = await Scene.open("name")`.
 */
import { join } from "./path.ts";
import { Child, type ChildOptions } from "./child.ts";

export class Scene implements AsyncDisposable {
  /** A fresh folder, removed at the end (kept when LOCALBT_KEEP is set). */
  readonly folder: string;
  readonly #children: Child[] = [];
  readonly #closers: (() => Promise<void> | void)[] = [];
  #folderCount = 0;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** @param parent the folder to make its own in; default: the system's for temporary files */
  static async open(parent?: string): Promise<Scene> {
    return new Scene(await Deno.makeTempDir({ prefix: "localbt-test-", ...(parent ? { dir: parent } : {}) }));
  }

  /** A new empty folder inside this scene's. */
  newFolder(label: string): string {
    const path = join(this.folder, `${this.#folderCount++}-${label}`);
    Deno.mkdirSync(path);
    return path;
  }

  /** Starts a child that ends with the scene at the latest. */
  start(options: ChildOptions): Child {
    const child = new Child(options);
    this.#children.push(child);
    return child;
  }

  /** Runs something when the scene ends, before its folder goes and after its children have gone. */
  atEnd(close: () => Promise<void> | void): void {
    this.#closers.push(close);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop()));
    for (const close of this.#closers.reverse()) await close();
    if (Deno.env.get("LOCALBT_KEEP")) console.log(`kept ${this.folder}`);
    else await Deno.remove(this.folder, { recursive: true });
  }
}
