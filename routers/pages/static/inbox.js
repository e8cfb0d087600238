// The public page of an inbox: files are given to it, each of which goes on after whatever interrupts it.

import { commonFolder } from "./bundles.js";
import { nameOf } from "./folders.js";
import { base } from "./http.js";
import { openQueue, pickers, refuse, takeInto } from "./uploads.js";
import { files, size } from "./words.js";

const form = document.getElementById("give");
const received = document.getElementById("received");
const limits = [...document.querySelectorAll("[data-left]")]; // of files and of bytes

if (form) take();

function take() {
  const address = form.getAttribute("action").slice(base.length);
  const queue = openQueue(address, {
    verb: "received",
    onDone: (_, upload) => show(upload),
    onSignedOut: (queue) => {
      queue.pauseAll();
      refuse("The password has changed. Reload the page.");
    },
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  takeInto(queue, pickers(), (given) => queue.add(given.length > 1 ? together(given) : [alone(given[0])]));
}

function alone({ file, path }) {
  const name = nameOf({ path });
  return { file, name, fields: { name } };
}

/** What is chosen together stays together: a secret says which files belong to it. */
function together(given) {
  const folder = commonFolder(given.map(({ path }) => path));
  const delivery = secret();
  const named = folder ? folder.slice(0, -1).slice(0, 200) : files(given.length);
  return given.map(({ file, path }) => {
    const name = path.slice(folder.length);
    return { file, name, fields: { name, delivery, delivery_name: named } };
  });
}

function secret() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function show({ name, size: bytes }) {
  const what = Object.assign(document.createElement("div"), { className: "what" });
  what.append(
    Object.assign(document.createElement("strong"), { textContent: name }),
    Object.assign(document.createElement("span"), { className: "quiet", textContent: size(bytes) }),
  );
  const row = document.createElement("li");
  row.append(what);
  received.querySelector("ul").prepend(row);
  received.hidden = false;
  for (const limit of limits) count(limit, bytes);
}

/** Show what is left of a limit after one more file. */
function count(limit, bytes) {
  const isOfBytes = limit.dataset.unit === "bytes";
  const left = Math.max(0, limit.dataset.left - (isOfBytes ? bytes : 1));
  limit.dataset.left = left;
  limit.textContent = isOfBytes ? size(left) : left.toLocaleString("en");
}
