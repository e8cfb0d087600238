// The page of links: suggests what to link to, and keeps the list up to date.

import { ask } from "./http.js";
import { growing, refresh } from "./parts.js";
import { offerShare } from "./sharing.js";
import { moment, size } from "./words.js";

const LOOK_AGAIN = 15_000; // ms; downloads are counted, and links end

const HINT = "A name or an id. If several share a name, the newest is used.";

const dialog = document.getElementById("qr");
const form = document.getElementById("make");

const named = new Map(); // what the newest things of the chosen kind are, by what the field may say
let suggested = null;

async function suggest() {
  const kind = form.elements.kind.value;
  if (suggested === kind) return;
  suggested = kind;
  const { items } = await ask("GET", `/v1/${kind}s?limit=100`);
  if (suggested !== kind) return;
  named.clear();
  for (const item of items) {
    const name = item.name ?? item.original_name ?? item.id;
    const facts = `${name}, ${size(item.size)}, ${moment(item.created_at)}`;
    named.set(named.has(name) ? item.id : name, facts); // its name means the newest
  }
  const options = [...named].map(([value, facts]) => new Option(facts, value));
  document.getElementById("things").replaceChildren(...options);
}

form.elements.kind.addEventListener("change", () => {
  form.elements.id.value = "";
  document.getElementById("target-name").textContent = HINT;
  suggest();
});
form.elements.id.addEventListener("focus", suggest);
form.elements.id.addEventListener("input", () => {
  document.getElementById("target-name").textContent = named.get(form.elements.id.value) ?? "";
});

growing("more", "links");

const share = document.getElementById("share");
if (share) offerShare(share, share.dataset.name, share.dataset.url);

function lookAgain() {
  if (document.visibilityState === "visible" && !dialog.open) refresh("list").catch(() => {}); // next time
}

document.getElementById("made-title")?.focus();
document.addEventListener("visibilitychange", lookAgain);
setInterval(lookAgain, LOOK_AGAIN);
