// What the pages for administrators share: dialogs that change what a list shows, through the API.

import { complain, forgive } from "./complaining.js";
import { refresh } from "./parts.js";

const said = document.getElementById("said");

/** Show the list as it is now, and say what has been done. */
export async function shown(done) {
  await refresh("list", "invitations");
  said.textContent = done;
}

/**
 * Wire a dialog: `save` and, where it has them, `reset` and `remove` ask the API and return what to say of it.
 * Returns what opens it, with a title, and the question before it removes; none: that is not offered.
 */
export function manage(dialog, { save, reset, remove }) {
  const form = dialog.querySelector("form");
  const wrong = form.querySelector("[role=alert]");

  async function attempt(button, act) {
    wrong.hidden = true;
    forgive(form);
    button.disabled = true;
    try {
      const done = await act(form.elements);
      dialog.close();
      await shown(done);
      if (document.activeElement === document.body) document.getElementById("list").focus();
    } catch (error) {
      wrong.textContent = complain(form, error);
      wrong.hidden = !wrong.textContent;
    } finally {
      button.disabled = false;
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(event.submitter, save);
  });
  form.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  form.querySelector("[data-reset]")?.addEventListener("click", (event) => attempt(event.target, reset));
  const end = form.querySelector("[data-delete]");
  end?.addEventListener("click", () => {
    if (confirm(end.dataset.question)) attempt(end, remove);
  });

  return (title, question) => {
    dialog.querySelector("h2").textContent = title;
    if (end) {
      end.hidden = !question;
      end.dataset.question = question;
    }
    wrong.hidden = true;
    forgive(form);
    dialog.showModal();
  };
}
