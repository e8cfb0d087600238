// The page of symbols: uploads by choosing and dropping, deleting, and a list that stays up to date.

import { complain, forgive } from "./complaining.js";
import { takeChosen, takeFiles } from "./folders.js";
import { ask, send } from "./http.js";
import { looking, refresh } from "./parts.js";

const part = (id) => document.getElementById(id);

function refuse(words = "") {
  part("wrong").textContent = words;
  part("wrong").hidden = !words;
}

let sending = Promise.resolve(); // one after the other: each takes the whole line

function take(given) {
  refuse();
  for (const { file } of given) {
    const line = document.createElement("li");
    line.textContent = `${file.name}: waiting`;
    part("arrivals").append(line);
    sending = sending.then(() => upload(file, line));
  }
}

async function upload(file, line) {
  line.textContent = `${file.name}: being sent`;
  try {
    const path = `/v1/symbols/upload/${encodeURIComponent(file.name)}`;
    const { items } = await send("PUT", path, file, { "Content-Type": "application/octet-stream" });
    line.textContent = `${file.name}: ${items.map((item) => `${item.debug_file} ${item.arch}`).join(", ")}`;
    await refresh("lists");
    look();
  } catch (error) {
    line.textContent = `${file.name}: ${error.message}`;
  }
}

if (part("picker")) {
  takeChosen(part("picker"), take);
  takeFiles(document.body, take, refuse);
}

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-delete]");
  if (!button || !confirm(`Delete the symbols of ${button.dataset.name}?`)) return;
  refuse();
  button.disabled = true;
  try {
    await ask("DELETE", `/v1/symbols/${button.dataset.delete}`);
    await refresh("lists");
  } catch (error) {
    button.disabled = false;
    refuse(error.message);
  }
});

document.addEventListener("submit", async (event) => {
  if (event.target.id !== "source") return;
  event.preventDefault();
  refuse();
  part("source-saved").textContent = "";
  forgive(event.target);
  try {
    await ask("PATCH", "/v1/accounts/me", { source_url: part("source-url").value.trim() || null });
    part("source-saved").textContent = "Saved";
  } catch (error) {
    refuse(complain(event.target, error));
  }
});

const look = looking(() => document.querySelector('[data-state="pending"]'), () => refresh("lists"));
look();
