// The pages of inboxes: QR codes, what came is deleted, and the list is kept up to date.

import { ask } from "./http.js";
import { inTurn, refresh } from "./parts.js";
import { showCode } from "./qr.js";
import { offerShare } from "./sharing.js";

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
if (share) offerShare(share, share.dataset.name, share.dataset.url);

document.getElementById("made-title")?.focus();
document.addEventListener("arrived", () => update().catch(() => {})); // next time
