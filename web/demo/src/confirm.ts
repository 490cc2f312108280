// Asking before something is deleted. The browser's own question is not there in frames that forbid it.

import { button, el } from "./dom.js";

/** Whether the visitor agrees; `action` is what the button says that does it. */
export function confirmed(question: string, action: string): Promise<boolean> {
  return new Promise((resolve) => {
    const dialog = el("dialog", { class: "confirm", "aria-labelledby": "confirm-title" });
    const answer = (yes: boolean) => () => {
      resolve(yes);
      dialog.close();
    };
    dialog.append(
      el("h2", { id: "confirm-title" }, question),
      el("div", { class: "ways" }, button("Keep", answer(false), { autofocus: true }), button(action, answer(true), { class: "button danger" })),
    );
    // Also by the escape key; an answer that was given before stands.
    dialog.addEventListener("close", () => {
      resolve(false);
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
