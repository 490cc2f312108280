// What is running: device, sizes, timings, and the switch between devices.

import type { Device } from "./avse-web/index.js";
import { byId, el } from "./dom.js";
import type { Timing } from "./finder.js";
import type { Session } from "./session.js";
import { thumbnailBytes } from "./site.js";
import { count, deviceName, size, time } from "./words.js";

const DEVICES: [device: Device, label: string][] = [["auto", "Automatic"], ["webgpu", "WebGPU"], ["wasm", "WebAssembly"]];

/** The section of facts, and the short line in the page's head. */
export class Facts {
  private readonly list = el("dl", { class: "fact-list" });
  private readonly running = byId("running", HTMLElement);
  private readonly reason = el("p", { class: "aside" });
  private timing: Timing | null = null;
  private offline = false;
  private thumbnails = 0;

  constructor(
    private readonly session: Session,
    switched: (device: Device) => void,
  ) {
    const radios = DEVICES.map(([device, label]) => {
      const input = el("input", { type: "radio", name: "device", class: "sr", value: device, checked: device === session.device });
      input.addEventListener("change", () => switched(device));
      return el("label", {}, input, label);
    });
    byId("facts", HTMLElement).append(
      el("h2", { id: "facts-title" }, "What is running"),
      el("fieldset", { class: "segmented" }, el("legend", {}, "Compute with"), ...radios),
      this.reason,
      this.list,
    );
    for (const event of ["stage", "captions"]) session.addEventListener(event, () => this.show());
    session.addEventListener("captions", () => void this.weighThumbnails(), { once: true });
    this.show();
  }

  /** Marks the device that is asked for. */
  choose(device: Device): void {
    for (const input of document.querySelectorAll<HTMLInputElement>("input[name=device]")) input.checked = input.value === device;
  }

  /** Shows what the last question took. */
  timed(timing: Timing): void {
    this.timing = timing;
    this.show();
  }

  /** The page's own files are kept for offline use. */
  worksOffline(): void {
    this.offline = true;
    this.show();
  }

  /** They are fetched in the background and count in no download bar. */
  private async weighThumbnails(): Promise<void> {
    const site = this.session.loaded?.site;
    if (site) this.thumbnails = await thumbnailBytes(site.pictures.url);
    this.show();
  }

  private show(): void {
    const { loaded, stage, galleryBytes } = this.session;
    this.running.dataset["stage"] = stage;
    if (!loaded) {
      this.running.textContent = { idle: "Not loaded", loading: "Loading", stopped: "Stopped", failed: "Not running", ready: "" }[stage];
      this.reason.textContent = "";
      return this.list.replaceChildren();
    }
    const { info } = loaded.avse;
    const name = deviceName(info.device);
    this.running.textContent = this.timing ? `${name}, ${time(this.timing.total)}` : name;
    this.reason.textContent = info.fallback ? `WebGPU was not taken: ${info.fallback}` : "";
    const facts: [string, string, string?][] = [
      ["Device", name, info.adapter || (info.device === "webgpu" ? "" : "SIMD, one thread")],
      ["Last question", this.timing ? time(this.timing.total) : "none yet", this.timing ? `encoding ${time(this.timing.encode)}, searching ${time(this.timing.search)}` : ""],
      ["Code", size(info.bytes.code), "as it lies on the site, unpacked"],
      ["Model", size(info.bytes.model), `${(info.parameters / 1e6).toFixed(1)} million parameters in ${info.precision}`],
      ["Collection", galleryBytes > 0 ? size(galleryBytes) : "on its way", `${count(loaded.pictures.size)} pictures, ${count(loaded.site.captions.items)} sentences${this.thumbnails > 0 ? `; thumbnails ${size(this.thumbnails)} more` : ""}`],
      ["Start", time(info.seconds.download + info.seconds.start), `download ${time(info.seconds.download)}, start ${time(info.seconds.start)}`],
      ["Sees", `${info.imageSize} × ${info.imageSize} pixels`, `${info.views} views, ${info.imageBlocks} image blocks, ${info.captionBlocks} sentence blocks`],
      ["Offline", this.offline ? "ready" : "not yet", this.offline ? "the next visit needs no network" : ""],
    ];
    this.list.replaceChildren(
      ...facts.map(([term, value, more]) => el("div", {}, el("dt", {}, term), el("dd", {}, el("b", {}, value), more ? el("span", {}, more) : ""))),
    );
  }
}
