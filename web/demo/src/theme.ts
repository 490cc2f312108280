// Dark and light: the system's choice until the visitor makes one, which is remembered.

import { byId } from "./dom.js";

const KEY = "avse-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

/** Wires the toggle. */
export function themeToggle(): void {
  const button = byId("theme", HTMLButtonElement);
  const show = () => button.setAttribute("aria-pressed", String(isDark()));
  button.addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset["theme"] = theme;
    try {
      // Back at the system's choice there is nothing to remember, and the page follows it again.
      if ((theme === "dark") === system.matches) localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, theme);
    } catch {
      // Not remembered where storage is closed; it still holds for this visit.
    }
    show();
  });
  system.addEventListener("change", () => {
    if (!remembered()) delete document.documentElement.dataset["theme"];
    show();
  });
  show();
}

function isDark(): boolean {
  const chosen = document.documentElement.dataset["theme"];
  return chosen ? chosen === "dark" : system.matches;
}

function remembered(): boolean {
  try {
    return localStorage.getItem(KEY) !== null;
  } catch {
    return false;
  }
}
