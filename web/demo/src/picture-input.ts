// Ways to give the page a picture: pick, photograph, drop, paste.

import { byId } from "./dom.js";

/** Who takes pictures: one becomes a question, several are added to the visitor's own. */
export interface Taker {
  one(file: File): void;
  several(files: File[]): void;
}

/** Wires the page's buttons, and dropping and pasting anywhere. */
export function pictureInput(taker: Taker): void {
  const take = (files: File[]) => {
    if (files.length === 1) taker.one(files[0]!);
    else if (files.length > 1) taker.several(files);
  };
  for (const id of ["pick", "camera"]) {
    const input = byId(id, HTMLInputElement);
    input.addEventListener("change", () => {
      take([...(input.files ?? [])]);
      // The same file can be picked again.
      input.value = "";
    });
  }
  addEventListener("paste", (event) => {
    const files = pictures(event.clipboardData);
    if (files.length === 0 || isText(event, event.clipboardData)) return;
    event.preventDefault();
    take(files);
  });
  dropping(take);
}

/** The whole page takes drops; a veil says so while something hovers over it. */
function dropping(take: (files: File[]) => void): void {
  const veil = byId("dropping", HTMLElement);
  let depth = 0;
  const show = (shown: boolean) => {
    if (!shown) depth = 0;
    veil.hidden = !shown;
  };
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    depth += 1;
    show(true);
  });
  addEventListener("dragleave", (event) => {
    if (hasFiles(event) && --depth <= 0) show(false);
  });
  addEventListener("dragover", (event) => {
    if (!hasFiles(event) || isText(event, event.dataTransfer)) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
  });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    show(false);
    if (isText(event, event.dataTransfer)) return;
    event.preventDefault();
    take(pictures(event.dataTransfer, true));
  });
}

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

/**
 * Whether what comes to a field is text, though a picture comes with it: spreadsheets give cells as text and as a picture
 * of them. With a picture that is dragged or copied as such comes at most its address or its name.
 */
function isText(event: Event, data: DataTransfer | null): boolean {
  const at = event.composedPath()[0];
  const field = at instanceof HTMLElement && (at.isContentEditable || at.matches("input[type=text], textarea"));
  if (!field || !data?.types.includes("text/plain") || data.types.includes("text/uri-list")) return false;
  // While something is dragged its text cannot be read, only that there is one.
  const text = data.getData("text/plain").trim();
  return ![...data.files].some(({ name }) => name === text);
}

/** Files that are pictures by their type. Of a single dropped file any type is taken, so that the engine can say what is wrong. */
function pictures(data: DataTransfer | null, any = false): File[] {
  const files = [...(data?.files ?? [])];
  if (any && files.length === 1) return files;
  return files.filter((file) => file.type.startsWith("image/"));
}
