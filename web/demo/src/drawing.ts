// The drawing pad: brush and fill in flat colours, by pointer or keyboard. Every stroke asks anew.

import { announce, button, byId, el } from "./dom.js";
import { flood } from "./flood.js";

/** Side of the drawing in pixels. */
const SIDE = 320;
const UNDO = 20;
const STEP = 8;

const COLOURS: [name: string, value: string][] = [
  ["black", "#212121"], ["grey", "#9b9b9b"], ["white", "#ffffff"], ["red", "#f8312f"], ["orange", "#ff822d"], ["yellow", "#fcd53f"],
  ["green", "#00a64f"], ["light blue", "#3fb9ef"], ["blue", "#0074ba"], ["purple", "#8d65c5"], ["pink", "#f59ad0"], ["brown", "#7d4533"],
];
const SIZES: [name: string, pixels: number][] = [["Thin", 6], ["Medium", 16], ["Thick", 40]];

/** The pad in the page's `#pad`. `changed` gets the drawing after every stroke, null when it is empty. */
export class DrawingPad {
  private readonly canvas = el("canvas", { width: SIDE, height: SIDE, tabindex: 0, role: "img", class: "canvas", "aria-label": "Drawing. Arrow keys move the pen, space puts it down or lifts it, F fills, Ctrl+Z undoes." });
  private readonly cursor = el("span", { class: "pen", hidden: true });
  private readonly context: CanvasRenderingContext2D;
  private colour = COLOURS[0]![1];
  private width = 16;
  private filling = false;
  private past: ImageData[] = [];
  private at = { x: SIDE / 2, y: SIDE / 2 };
  private down = false;

  constructor(private readonly changed: (drawing: Blob | null) => void) {
    this.context = this.canvas.getContext("2d", { willReadFrequently: true })!;
    this.context.lineCap = "round";
    this.context.lineJoin = "round";
    this.white();
    byId("pad", HTMLElement).append(el("div", { class: "easel" }, this.canvas, this.cursor), this.palette(), this.tools());
    this.pointer();
    this.keyboard();
  }

  /** Puts the focus on the drawing. */
  focus(): void {
    this.canvas.focus({ preventScroll: true });
  }

  private pointer(): void {
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      this.focus();
      this.canvas.setPointerCapture(event.pointerId);
      this.begin(this.point(event));
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!this.down || !this.canvas.hasPointerCapture(event.pointerId)) return;
      for (const step of event.getCoalescedEvents?.() ?? [event]) this.line(this.point(step));
    });
    for (const end of ["pointerup", "pointercancel"] as const) this.canvas.addEventListener(end, () => this.end());
  }

  private keyboard(): void {
    const moves: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    this.canvas.addEventListener("keydown", (event) => {
      const move = moves[event.key];
      if (move) {
        const step = event.shiftKey ? STEP * 4 : STEP;
        const to = { x: clamp(this.at.x + move[0] * step), y: clamp(this.at.y + move[1] * step) };
        if (this.down) this.line(to);
        else this.at = to;
      } else if (event.key === " ") {
        if (this.down) this.end();
        else this.begin(this.at);
        announce(this.down ? "Pen down" : "Pen up");
      } else if (event.key === "f") this.fill(this.at);
      else if (event.key === "z" && (event.ctrlKey || event.metaKey)) this.undo();
      else return;
      event.preventDefault();
      this.cursor.hidden = false;
      this.cursor.style.setProperty("--x", `${(this.at.x / SIDE) * 100}%`);
      this.cursor.style.setProperty("--y", `${(this.at.y / SIDE) * 100}%`);
      this.cursor.classList.toggle("down", this.down);
    });
    this.canvas.addEventListener("blur", () => {
      this.cursor.hidden = true;
      if (this.down) this.end();
    });
  }

  private begin(point: { x: number; y: number }): void {
    if (this.filling) return this.fill(point);
    this.keep();
    this.down = true;
    this.at = point;
    this.line(point);
  }

  private line(to: { x: number; y: number }): void {
    this.context.strokeStyle = this.colour;
    this.context.lineWidth = this.width;
    this.context.beginPath();
    this.context.moveTo(this.at.x, this.at.y);
    this.context.lineTo(to.x, to.y + 0.01);
    this.context.stroke();
    this.at = to;
  }

  private end(): void {
    if (!this.down) return;
    this.down = false;
    this.tell();
  }

  private fill(point: { x: number; y: number }): void {
    this.keep();
    const image = this.context.getImageData(0, 0, SIDE, SIDE);
    const colour = [1, 3, 5].map((from) => parseInt(this.colour.slice(from, from + 2), 16));
    flood(image.data, SIDE, Math.floor(point.x), Math.floor(point.y), colour as [number, number, number]);
    this.context.putImageData(image, 0, 0);
    this.tell();
  }

  private keep(): void {
    this.past.push(this.context.getImageData(0, 0, SIDE, SIDE));
    if (this.past.length > UNDO) this.past.shift();
  }

  private undo(): void {
    const last = this.past.pop();
    if (!last) return;
    this.context.putImageData(last, 0, 0);
    this.tell();
  }

  private tell(): void {
    if (this.past.length === 0) this.changed(null);
    else this.canvas.toBlob((blob) => blob && this.changed(blob), "image/png");
  }

  private white(): void {
    this.context.fillStyle = "#fff";
    this.context.fillRect(0, 0, SIDE, SIDE);
  }

  private point(event: PointerEvent): { x: number; y: number } {
    const box = this.canvas.getBoundingClientRect();
    return { x: clamp(((event.clientX - box.left) / box.width) * SIDE), y: clamp(((event.clientY - box.top) / box.height) * SIDE) };
  }

  private palette(): HTMLElement {
    const set = el("fieldset", { class: "palette" }, el("legend", { class: "sr" }, "Colour"));
    for (const [name, value] of COLOURS) {
      const input = el("input", { type: "radio", name: "colour", value, class: "sr", checked: value === this.colour });
      const chip = el("label", { class: "chip", title: name }, input, el("span", { class: "sr" }, name));
      chip.style.setProperty("--chip", value);
      input.addEventListener("change", () => (this.colour = value));
      set.append(chip);
    }
    return set;
  }

  private tools(): HTMLElement {
    const set = el("fieldset", { class: "tools segmented" }, el("legend", { class: "sr" }, "Tool"));
    const tool = (name: string, checked: boolean, choose: () => void) => {
      const input = el("input", { type: "radio", name: "tool", class: "sr", checked });
      input.addEventListener("change", choose);
      set.append(el("label", {}, input, name));
    };
    for (const [name, pixels] of SIZES) {
      tool(name, pixels === this.width, () => {
        this.filling = false;
        this.width = pixels;
      });
    }
    tool("Fill", false, () => (this.filling = true));
    const clear = button("Clear", () => {
      this.past = [];
      this.white();
      this.tell();
    });
    return el("div", { class: "tool-row" }, set, button("Undo", () => this.undo()), clear);
  }
}

function clamp(value: number): number {
  return Math.min(SIDE - 1, Math.max(0, value));
}
