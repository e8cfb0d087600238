// Dialogs with a form: an error is shown in it, and nothing is sent twice at once.

import { complain, forgive } from "./complaining.js";

/** Let `save(fields)` take what the form of a dialog sends; returns what opens the dialog. */
export function formDialog(dialog, save) {
  const form = dialog.querySelector("form");
  const wrong = form.querySelector("[role=alert]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { submitter } = event;
    submitter.disabled = true;
    wrong.hidden = true;
    forgive(form);
    try {
      await save(form.elements);
    } catch (error) {
      wrong.textContent = complain(form, error);
      wrong.hidden = !wrong.textContent;
    } finally {
      submitter.disabled = false;
    }
  });
  for (const button of dialog.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => dialog.close());
  }
  return () => {
    wrong.hidden = true;
    forgive(form);
    dialog.showModal();
  };
}

/** What the fields of link_fields.html say, without those that are empty. */
export function optionsOf({ max_downloads, password, note, originals }) {
  const given = { max_downloads: max_downloads.value, password: password.value, note: note.value.trim(), originals: originals?.checked };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value));
}
