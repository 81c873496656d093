/** Bytes of a child's output in, its lines out; a carriage return ends a line too, as progress lines use it. */
export class TextLineStream extends TransformStream<Uint8Array, string> {
  constructor() {
    const decoder = new TextDecoder();
    let rest = "";
    super({
      transform(bytes, controller) {
        const parts = (rest + decoder.decode(bytes, { stream: true })).split(/\r\n|\n|\r/);
        rest = parts.pop() ?? "";
        for (const part of parts) controller.enqueue(part);
      },
      flush(controller) {
        if (rest !== "") controller.enqueue(rest);
      },
    });
  }
}
