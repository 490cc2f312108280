/**
 * Tar files (POSIX ustar): how a gallery becomes one file. Unpacked anywhere it is a gallery's folder.
 */

import { AvseError } from "./errors.js";

const BLOCK = 512;

/** One file that holds these; nothing is read or copied. */
export function packTar(files: Record<string, Blob>): Blob {
  const parts: BlobPart[] = [];
  for (const [name, content] of Object.entries(files)) {
    parts.push(header(name, content.size), content, new Uint8Array(-content.size & (BLOCK - 1)));
  }
  return new Blob([...parts, new Uint8Array(2 * BLOCK)], { type: "application/x-tar" });
}

/** The files in a tar file, by their names without a leading `./`; contents are read when they are asked for. */
export async function unpackTar(tar: Blob): Promise<Record<string, Blob>> {
  const files: Record<string, Blob> = {};
  for (let at = 0; at + BLOCK <= tar.size; ) {
    const head = new Uint8Array(await tar.slice(at, at + BLOCK).arrayBuffer());
    if (head.every((byte) => byte === 0)) return files;
    const size = octal(head, 124, 12);
    if (octal(head, 148, 8) !== checksum(head) || !(at + BLOCK + size <= tar.size)) break;
    const kind = head[156];
    // Other entries are folders, links, and what some programs note about the next file.
    if (kind === 0 || kind === 0x30) files[text(head, 0, 100).replace(/^\.\//, "")] = tar.slice(at + BLOCK, at + BLOCK + size);
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  throw new AvseError("format", "this is no whole tar file");
}

function header(name: string, size: number): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(BLOCK);
  const put = (at: number, value: string) => head.set(new TextEncoder().encode(value), at);
  const number = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  put(0, name);
  put(100, `${number(0o644, 7)}\0${number(0, 7)}\0${number(0, 7)}\0`);
  put(124, `${number(size, 11)}\0${number(0, 11)}\0`);
  put(156, "0");
  put(257, "ustar\x0000");
  put(148, `${number(checksum(head), 6)}\0 `);
  return head;
}

/** The sum of a header's bytes, with spaces where the sum itself stands. */
function checksum(head: Uint8Array): number {
  return head.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0);
}

function text(head: Uint8Array, at: number, length: number): string {
  return new TextDecoder().decode(head.subarray(at, at + length)).split("\0")[0]!;
}

function octal(head: Uint8Array, at: number, length: number): number {
  return parseInt(text(head, at, length).trim() || "0", 8);
}
