// A plain script that runs before the first paint, so that a remembered choice does not flash the
// other colours. `theme.ts` does the rest.
{
  try {
    const kept = localStorage.getItem("avse-theme");
    if (kept === "dark" || kept === "light") document.documentElement.dataset["theme"] = kept;
  } catch {
    // Storage is closed to this page: the system's choice holds.
  }
}
