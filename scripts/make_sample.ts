/**
 * Writes data/sample: a few files of our own making to share in the demo and by hand.
 *
 * The result is kept in the repository; run this again only to change it: `deno run -A scripts/make_sample.ts`.
 */
const folder = new URL("../data/sample/", import.meta.url);

function write(name: string, content: string | Uint8Array): void {
  const file = new URL(name.split("/").map(encodeURIComponent).join("/"), folder);
  Deno.mkdirSync(new URL("./", file), { recursive: true });
  if (typeof content === "string") Deno.writeTextFileSync(file, content);
  else Deno.writeFileSync(file, content);
}

/** A picture with a palette of 256 colours as a BMP file; `shade` tells the colour at a place. */
function picture(side: number, shade: (x: number, y: number) => number, color: (i: number) => number[]): Uint8Array {
  const headerBytes = 14 + 40 + 4 * 256;
  const bytes = new Uint8Array(headerBytes + side * side);
  const view = new DataView(bytes.buffer);
  bytes.set([0x42, 0x4d]);
  view.setUint32(2, bytes.length, true);
  view.setUint32(10, headerBytes, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, side, true);
  view.setInt32(22, side, true);
  view.setUint16(26, 1, true);
  view.setUint16(28, 8, true);
  view.setUint32(34, side * side, true);
  view.setUint32(46, 256, true);
  for (let i = 0; i < 256; i++) bytes.set([...color(i).map((part) => Math.min(255, Math.round(part))), 0], 54 + 4 * i);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) bytes[headerBytes + y * side + x] = shade(x / side, y / side);
  }
  return bytes;
}

/** Steps until the Mandelbrot iteration of a point runs away, 0 for points that stay. */
function mandelbrot(x: number, y: number): number {
  const [cr, ci] = [3 * x - 2.2, 3 * y - 1.5];
  let [zr, zi] = [0, 0];
  for (let step = 1; step < 256; step++) {
    [zr, zi] = [zr * zr - zi * zi + cr, 2 * zr * zi + ci];
    if (zr * zr + zi * zi > 4) return step;
  }
  return 0;
}

/** Rings around three points. */
function ripples(x: number, y: number): number {
  const ring = (cx: number, cy: number) => Math.sqrt((x - cx) ** 2 + (y - cy) ** 2) * 640;
  return (Math.floor(ring(0.3, 0.3)) + Math.floor(ring(0.75, 0.4)) + Math.floor(ring(0.45, 0.8))) % 256;
}

/** A scale up and down as a WAV file: mono, 8 bits, 11,025 samples a second, square waves. */
function scale(): Uint8Array {
  const sampleRate = 11_025;
  const notes = [262, 294, 330, 349, 392, 440, 494, 523, 494, 440, 392, 349, 330, 294, 262, 131];
  const noteSamples = Math.floor(sampleRate * 2.5);
  const bytes = new Uint8Array(44 + notes.length * noteSamples);
  const view = new DataView(bytes.buffer);
  const text = (offset: number, word: string) => bytes.set(new TextEncoder().encode(word), offset);
  text(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate, true);
  view.setUint16(32, 1, true);
  view.setUint16(34, 8, true);
  text(36, "data");
  view.setUint32(40, bytes.length - 44, true);
  notes.forEach((frequency, i) => {
    for (let n = 0; n < noteSamples; n++) {
      const loudness = Math.floor(60 * (1 - n / noteSamples));
      const isUp = Math.floor(2 * frequency * n / sampleRate) % 2 === 0;
      bytes[44 + i * noteSamples + n] = 128 + (isUp ? loudness : -loudness);
    }
  });
  return bytes;
}

function primes(count: number): string {
  const found: number[] = [];
  for (let candidate = 2; found.length < count; candidate++) {
    let isPrime = true;
    for (const prime of found) {
      if (prime * prime > candidate) break;
      if (candidate % prime === 0) isPrime = false;
      if (!isPrime) break;
    }
    if (isPrime) found.push(candidate);
  }
  return `${found.join("\n")}\n`;
}

write(
  "read me.txt",
  "A small sample to share: two pictures, a scale, a list of primes, a greeting and an empty file.\n",
);
write("Grüße, 你好, नमस्ते.txt", "Good day. Guten Tag. Bonjour. 你好。 नमस्ते। Добрый день. שלום. こんにちは。\n");
write("empty.txt", "");
write("numbers/primes.txt", primes(50_000));
write("pictures/mandelbrot.bmp", picture(1024, mandelbrot, (i) => [i * 2, (i * 5) % 256, Math.sqrt(i) * 16]));
write("pictures/ripples.bmp", picture(896, ripples, (i) => [255 - i / 2, 128 + 0.5 * Math.abs(127 - i), i]));
write("sounds/scale.wav", scale());
