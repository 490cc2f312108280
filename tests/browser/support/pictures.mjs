// Picture files, sound and hostile ones.

import { deflateSync } from "node:zlib";

/** A PNG file, 8 bits a channel; `pixel(x, y)` gives red, green, blue and, for a file with transparency, opacity. */
export function png(width, height, pixel) {
  const channels = pixel(0, 0).length;
  const rows = Buffer.alloc(height * (1 + width * channels));
  let at = 0;
  for (let y = 0; y < height; y++) {
    rows[at++] = 0;
    for (let x = 0; x < width; x++) for (const value of pixel(x, y)) rows[at++] = value;
  }
  return pngOf(width, height, channels === 4 ? 6 : 2, deflateSync(rows));
}

/** A PNG of a few bytes whose header announces billions of pixels. */
export function bomb(side = 60_000) {
  return pngOf(side, side, 2, deflateSync(Buffer.alloc(1 << 16)));
}

function pngOf(width, height, colourType, data) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, colourType, 0, 0, 0], 8);
  const signature = Buffer.from("89504e470d0a1a0a", "hex");
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/**
 * The same JPEG file with an EXIF segment behind its first marker that holds the orientation alone.
 *
 * @param orientation 1 to 8, as EXIF counts them; 6 is to be turned a quarter clockwise.
 */
export function oriented(jpeg, orientation) {
  const exif = Buffer.alloc(32);
  exif.write("Exif\0\0", 0, "latin1");
  // A big-endian TIFF with one directory of one entry: tag 0x0112, one 16-bit number.
  exif.set([0x4d, 0x4d, 0, 0x2a, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0], 6);
  const length = Buffer.alloc(4);
  length.writeUInt16BE(0xffe1, 0);
  length.writeUInt16BE(exif.length + 2, 2);
  return Buffer.concat([jpeg.subarray(0, 2), length, exif, jpeg.subarray(2)]);
}

/** A colourful picture that differs with `seed`: two ramps and a patch. */
export function drawing(seed, width = 40, height = 32) {
  return png(width, height, (x, y) => {
    const patch = (x + 7 * seed) % width < 12 && (y + 5 * seed) % height < 9;
    return patch ? [255 - 25 * seed, 30 * seed, 128] : [(x * 6 + 31 * seed) & 255, (y * 7) & 255, (40 * seed + x * y) & 255];
  });
}
