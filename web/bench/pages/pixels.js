// Pictures as the peer's network takes them: its runtime brings nothing for that.

const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];

/** Where each of `count` outputs lies among `size` inputs: bilinear, half-pixel centres. */
function taps(count, size) {
  return Array.from({ length: count }, (_, index) => {
    const at = Math.min(Math.max(((index + 0.5) * size) / count - 0.5, 0), size - 1);
    const low = Math.floor(at);
    return [low, Math.min(low + 1, size - 1), at - low];
  });
}

/** ImageData -> 3 * side * side normalised numbers, a plane for each colour. */
export function pixels({ width, height, data }, side) {
  const [columns, rows] = [taps(side, width), taps(side, height)];
  const planes = new Float32Array(3 * side * side);
  for (let channel = 0; channel < 3; channel++) {
    const scale = 1 / (255 * STD[channel]);
    const offset = -MEAN[channel] / STD[channel];
    let at = channel * side * side;
    for (const [top, bottom, down] of rows) {
      for (const [left, right, across] of columns) {
        const value = (row, column) => data[4 * (row * width + column) + channel];
        const upper = value(top, left) + across * (value(top, right) - value(top, left));
        const lower = value(bottom, left) + across * (value(bottom, right) - value(bottom, left));
        planes[at++] = (upper + down * (lower - upper)) * scale + offset;
      }
    }
  }
  return planes;
}

/** The picture in an image file, on white. */
export async function decode(blob) {
  const bitmap = await createImageBitmap(blob, { premultiplyAlpha: "none", colorSpaceConversion: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, bitmap.width, bitmap.height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}
