// The dialog that changes a file or a bundle on its row: its name, its end, and what its link allows.

import { formDialog } from "./dialogs.js";
import { ask } from "./http.js";
import { refresh } from "./parts.js";

const dialog = document.getElementById("change-file");
const said = document.getElementById("said");
let file = null; // as the server has it
let path = ""; // of it

const open = formDialog(dialog, async (fields) => {
  const changed = await ask("PATCH", path, changes(fields));
  dialog.close();
  await refresh("bundle-list", "list", "details");
  said.textContent = `${changed.name} is changed`;
});

function changes({ name, expires_in, max_downloads, password, note, unprotected }) {
  const facts = { max_downloads: Number(max_downloads.value) || null, note: note.value.trim() || null };
  if (name.value !== file.name) facts.name = name.value;
  if (expires_in.value) facts.expires_in = Number(expires_in.value);
  if (password.value) facts.password = password.value;
  else if (unprotected.checked) facts.password = null;
  if (facts.max_downloads === file.max_downloads) delete facts.max_downloads; // it may be used up by now
  return facts;
}

document.addEventListener("click", (event) => {
  const { change } = event.target.closest("[data-change]")?.dataset ?? {};
  if (change) edit(change).catch((error) => alert(error.message));
});

async function edit(changed) {
  file = await ask("GET", changed);
  path = changed;
  const form = dialog.querySelector("form");
  form.reset();
  const { name, max_downloads, password, note, unprotected } = form.elements;
  name.value = file.name;
  max_downloads.value = file.max_downloads ?? "";
  note.value = file.note ?? "";
  password.placeholder = file.has_password ? "the one that it has" : "none";
  unprotected.closest("p").hidden = !file.has_password;
  dialog.querySelector("h2").textContent = `Change ${file.name}`;
  open();
}
