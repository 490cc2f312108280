// Filling an area of a drawing.

/** Fills the area around (x, y) whose colour is near the one there. RGBA pixels, `width` a row; changed in place. */
export function flood(pixels: Uint8ClampedArray, width: number, x: number, y: number, colour: [number, number, number]): void {
  const height = pixels.length / 4 / width;
  const from = [0, 1, 2].map((channel) => pixels[(y * width + x) * 4 + channel] ?? 0);
  // Soft edges of strokes are half one colour, half the other: they are covered up to this difference.
  const near = (at: number) => [0, 1, 2].every((channel) => Math.abs((pixels[at * 4 + channel] ?? 0) - from[channel]!) <= 60);
  const done = new Uint8Array(width * height);
  const open = [y * width + x];
  done[open[0]!] = 1;
  while (open.length > 0) {
    const at = open.pop()!;
    pixels.set([...colour, 255], at * 4);
    const column = at % width;
    const beside = [column > 0 ? at - 1 : -1, column < width - 1 ? at + 1 : -1, at - width, at + width];
    for (const next of beside) {
      if (next < 0 || next >= done.length || done[next]) continue;
      done[next] = 1;
      if (near(next)) open.push(next);
    }
  }
}
