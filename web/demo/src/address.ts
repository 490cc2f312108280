// What the address of the page says: `?q=` is the question, `?device=` forces a device.

import type { Device } from "./avse-web/index.js";

/** The question in the address, or an empty string. */
export function questionInAddress(): string {
  return new URL(location.href).searchParams.get("q")?.trim() ?? "";
}

/** The device that the address asks for. */
export function deviceInAddress(): Device {
  const device = new URL(location.href).searchParams.get("device");
  return device === "webgpu" || device === "wasm" ? device : "auto";
}

/** Puts the question into the address: as a step of its own in the history, or in place of the last one (while typing). */
export function rememberQuestion(question: string, step: boolean): void {
  change("q", question, step);
}

/** Puts the device into the address. */
export function rememberDevice(device: Device): void {
  change("device", device === "auto" ? "" : device, false);
}

/** Calls back when the visitor goes back or forward. */
export function onAddress(listener: (question: string) => void): void {
  addEventListener("popstate", () => listener(questionInAddress()));
}

function change(name: string, value: string, step: boolean): void {
  const url = new URL(location.href);
  if ((url.searchParams.get(name) ?? "") === value) return;
  if (value) url.searchParams.set(name, value);
  else url.searchParams.delete(name);
  // A browser may refuse when the address changes too often; the page works on.
  try {
    if (step) history.pushState(null, "", url);
    else history.replaceState(null, "", url);
  } catch {
    return;
  }
}
