// The pages of inboxes: QR codes, what came is deleted, and the list is kept up to date.

import { ask } from "./http.js";
import { inTurn, refresh } from "./parts.js";
import { showCode } from "./qr.js";

const said = document.getElementById("said");
const update = inTurn(() => refresh("list", "facts"));

document.addEventListener("click", (event) => {
  const control = event.target.closest("[data-qr], [data-delete]");
  if (!control) return;
  if (control.dataset.delete) {
    remove(control);
    return;
  }
  event.preventDefault();
  showCode(control.href, control.dataset.qr, control.dataset.name);
});

async function remove(button) {
  const { name } = button.dataset;
  if (!confirm(`Delete ${name}?`)) return;
  button.disabled = true;
  try {
    await ask("DELETE", button.dataset.delete);
    document.getElementById("list").focus();
    await update();
    said.textContent = `${name} is deleted`;
  } catch (error) {
    button.disabled = false;
    said.className = "notice error";
    said.textContent = error.message;
  }
}

const share = document.getElementById("share");
if (share && navigator.share) {
  share.hidden = false;
  share.addEventListener("click", () => {
    // a person who thinks better of it is no error
    navigator.share({ title: share.dataset.name, url: share.dataset.url }).catch(() => {});
  });
}

document.getElementById("made-title")?.focus();
document.addEventListener("arrived", () => update().catch(() => {})); // next time
