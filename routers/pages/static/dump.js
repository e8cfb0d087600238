// The page of a dump: archiving, deleting, editing, and a report that appears when it is ready.

import { complain, forgive } from "./complaining.js";
import { ask, url } from "./http.js";
import { looking, refresh } from "./parts.js";

const PREVIEW = 65_536; // bytes of a text
const part = (id) => document.getElementById(id);
const path = () => `/v1/dumps/${part("head").dataset.id}`;

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-act]");
  if (!button || button.ariaBusy === "true") return;
  button.ariaBusy = "true"; // a disabled button would lose the focus
  part("wrong").textContent = "";
  try {
    await (button.dataset.act === "archive" ? archive(button) : remove());
  } catch (error) {
    part("wrong").textContent = error.message;
  } finally {
    button.ariaBusy = "false";
  }
});

async function archive(button) {
  await ask("PATCH", path(), { archived: button.dataset.archived !== "true" });
  await refresh("head");
}

async function remove() {
  if (!confirm(`Delete ${part("head").dataset.name}? Its links end with it.`)) return;
  await ask("DELETE", path());
  location.assign(url("/dumps"));
}

part("edit").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { label, description } = Object.fromEntries(new FormData(event.target));
  part("saved").textContent = "";
  forgive(event.target);
  try {
    await ask("PATCH", path(), { label: label || null, description });
    await refresh("head");
    part("saved").textContent = "Saved";
  } catch (error) {
    part("saved").textContent = complain(event.target, error);
  }
});

looking(() => part("head").dataset.state === "pending", () => refresh("head", "report"))();

// Attachments that are texts show how they begin, once they are opened.

document.addEventListener("toggle", async ({ target }) => {
  const shown = target.querySelector?.(":scope > pre:empty");
  if (!target.open || !target.dataset.text || !shown) return;
  try {
    const answer = await fetch(target.dataset.text, { headers: { Range: `bytes=0-${PREVIEW - 1}` } });
    if (!answer.ok) throw new Error(`The server answered ${answer.status}`);
    shown.textContent = await answer.text();
  } catch (error) {
    shown.textContent = error.message;
  }
}, { capture: true });
