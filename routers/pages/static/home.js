// The home page: whatever is dropped, pasted or chosen goes where such things are kept.

import { Closer, makeBundle } from "./bundles.js";
import { nameOf } from "./folders.js";
import { send } from "./http.js";
import { refresh } from "./parts.js";
import "./qr.js";
import { enter, leave } from "./room.js";
import { insist, openQueue, pickers, refuse, soon, takeInto } from "./uploads.js";

const PICTURE = /\.(jpe?g|png|webp|gif|avif|hei[cf]|hif)$/i;
const MINIDUMP = "MDMP";

const form = document.getElementById("send");
const text = document.getElementById("text");
const said = document.getElementById("said");
const unsure = document.getElementById("unsure");
const fields = pickers();

const show = soon(() => refresh("begin", "kinds", "recent", "storage"));
const closer = new Closer(show);
const queue = openQueue(["file", "picture", "dump"], {
  verb: "stored",
  onDone: (id, { fields: { bundle } }) => {
    if (bundle) closer.watch(bundle);
    show();
  },
  onChange: (queue) => closer.check(queue),
});

let turn = Promise.resolve(); // whoever asks for room waits for those who asked before

fields[0].multiple = true; // a form without this script sends one
fields[0].required = false;
form.addEventListener("submit", (event) => event.preventDefault());
takeInto(queue, fields, (given) => {
  turn = turn.then(() => sort(given)).catch((error) => refuse(error.message));
});

/** Send each to its place, or several kinds together, if that is what is meant. */
async function sort(given) {
  const kinds = await Promise.all(given.map(({ file }) => kindOf(file)));
  const of = (kind) => given.filter((_, index) => kinds[index] === kind);
  const isMixed = new Set(kinds).size > 1;
  if (isMixed && (await askFor(given.length)) === "together") return share(given);
  queue.add(of("picture").map((one) => described(one, "picture", (name) => ({ name: name.replace(PICTURE, "") || name }))));
  queue.add(of("dump").map((one) => described(one, "dump", (name) => ({ original_name: name }))));
  const files = of("file");
  if (files.length) await share(files);
}

/** Give files a link: one for all. */
async function share(given) {
  const evicted = await insist(() => enter(1, Number(form.dataset.maxFiles), refuse));
  refuse();
  if (!evicted) return;
  if (given.length === 1) {
    const [one] = given;
    const fieldsOf = (name) => ({ name, evict: evicted[0] });
    queue.add([{ ...described(one, "file", fieldsOf), onEnd: () => leave(evicted[0]) }]);
    return;
  }
  let made;
  try {
    made = await makeBundle(given, {}, evicted[0]);
  } finally {
    leave(evicted[0]);
  }
  if (!made) return;
  closer.watch(made.bundle.id);
  queue.add(made.uploads.map((one) => ({ ...one, kind: "file" })));
  show();
}

function described({ file, path }, kind, fieldsOf) {
  const name = nameOf({ path });
  return { file, name, kind, fields: fieldsOf(name) };
}

async function kindOf(file) {
  if (PICTURE.test(file.name)) return "picture";
  const start = new TextDecoder("latin1").decode(await file.slice(0, MINIDUMP.length).arrayBuffer());
  return start === MINIDUMP ? "dump" : "file";
}

/** Ask what things of several kinds are to become; resolves to "together", or else. */
function askFor(count) {
  unsure.querySelector("[data-count]").textContent = count;
  unsure.returnValue = "";
  unsure.showModal();
  return new Promise((resolve) => {
    unsure.addEventListener("close", () => resolve(unsure.returnValue), { once: true });
  });
}

// Text goes to the buffer.

async function putText(value) {
  refuse();
  try {
    const headers = { "X-Data-Type": "text", "Content-Type": "text/plain; charset=utf-8" };
    await insist(() => send("PUT", "/v1/buffer", value, headers));
    if (text.value === value) text.value = "";
    said.textContent = "The text is in the buffer";
    show();
  } catch (error) {
    refuse(error.message);
  }
}

document.getElementById("text-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (text.value) putText(text.value);
});

document.addEventListener("paste", (event) => {
  if (event.target.closest("input, textarea, dialog") || event.clipboardData.files.length) return;
  const pasted = event.clipboardData.getData("text/plain");
  if (pasted) putText(pasted);
});

document.addEventListener("arrived", show);
