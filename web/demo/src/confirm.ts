// A question before something is deleted.

import { button, el } from "./dom.js";

/** Asks, and tells whether the visitor agrees; the focus goes back afterwards. */
export function confirmed(question: string, yes: string): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = false;
    const agree = button(yes, () => {
      answer = true;
      dialog.close();
    }, { class: "button strong" });
    const title = el("p", { id: "confirm-question" }, question);
    const dialog = el("dialog", { class: "confirm", "aria-labelledby": "confirm-question" }, title,
      el("div", { class: "ways" }, agree, button("Cancel", () => dialog.close())));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
