// The dialog that makes a link to what a page shows; without this script, a page of its own does.

import { formDialog, optionsOf } from "./dialogs.js";
import { ask, url } from "./http.js";
import { refresh } from "./parts.js";

const dialog = document.getElementById("make-link");
const form = dialog.querySelector("form");
const made = document.getElementById("link-made");
let target = null; // the dataset of what was pressed

const open = formDialog(dialog, async (fields) => {
  const { linkKind: kind, linkId: id } = target;
  const link = await ask("POST", "/v1/timelinks", { kind, id, time: Number(fields.time.value), ...optionsOf(fields) });
  made.querySelector("img").src = url(`/v1/timelinks/${link.id}/qr`);
  const address = made.querySelector("a");
  address.href = address.textContent = link.url;
  made.querySelector("[data-copy]").dataset.copy = link.url;
  form.hidden = true;
  made.hidden = false;
  made.focus();
  if (document.getElementById("list")) await refresh("list"); // what has a link now
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-link-kind]");
  if (!opener || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  target = { ...opener.dataset };
  form.reset();
  form.hidden = false;
  made.hidden = true;
  dialog.querySelector(".originals").hidden = target.linkKind !== "picture";
  dialog.querySelector("h2").textContent = `A link to ${target.linkName}`;
  open();
});
