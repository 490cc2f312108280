// A plain script, no module, that runs before the first paint: a remembered choice does not flash the other colours
// (`theme.ts` does the rest), a question in the address has its room, and a page that was opened from disk says why nothing will happen, since browsers load
// no modules from there.
{
  try {
    const kept = localStorage.getItem("avse-theme");
    if (kept === "dark" || kept === "light") document.documentElement.dataset["theme"] = kept;
  } catch {
    // Storage is closed to this page: the system's choice holds.
  }

  // With a question in the address the introduction is not painted first, to be taken away by the page's script.
  if (new URLSearchParams(location.search).get("q")?.trim()) document.documentElement.toggleAttribute("data-asked", true);

  if (location.protocol === "file:") {
    addEventListener("DOMContentLoaded", () => {
      const note = document.getElementById("disk");
      if (note) note.hidden = false;
    });
  }
}
