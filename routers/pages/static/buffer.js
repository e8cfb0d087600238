// The page of the buffer: shows what is in it as soon as that changes, wherever it was changed.

import { nameOf } from "./folders.js";
import { ask, send, url } from "./http.js";
import { copy } from "./page.js";
import { inTurn, refresh } from "./parts.js";
import { openQueue, refuse, takeInto } from "./uploads.js";

const PATIENCE = 5000; // ms until a connection that was refused is tried again

const connection = document.getElementById("connection");
const said = document.getElementById("said");
const textForm = document.getElementById("text-form");
const text = document.getElementById("text");

const current = () => document.getElementById("current");

const update = inTurn(async () => {
  await refresh("current", "history");
  said.textContent = current().dataset.summary;
});

let source = null;
let retry = 0;

function listen() {
  clearTimeout(retry);
  source?.close();
  source = new EventSource(url("/v1/buffer/events"));
  source.addEventListener("current", compare);
  source.addEventListener("changed", compare);
  source.addEventListener("open", () => tell("Live: changes show up here by themselves."));
  source.addEventListener("error", () => {
    tell("Not connected. Trying again…");
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries by itself
    retry = setTimeout(() => {
      update().catch(() => {}); // leads to the login where nobody is signed in any more
      if (document.visibilityState === "visible") listen();
    }, PATIENCE);
  });
}

function tell(words) {
  if (connection.textContent !== words) connection.textContent = words;
}

function compare(event) {
  const { version, empty } = JSON.parse(event.data);
  if (current().dataset.version !== (empty ? "" : String(version))) update();
}

// a page that nobody sees holds no connection: a browser has few for each server
document.addEventListener("visibilitychange", () => {
  source.close();
  if (document.visibilityState === "visible") listen();
});

async function attempt(action) {
  refuse();
  try {
    await action();
  } catch (error) {
    refuse(error.message);
  }
}

async function putText(value) {
  const headers = { "X-Data-Type": "text", "Content-Type": "text/plain; charset=utf-8" };
  await attempt(async () => {
    await send("PUT", "/v1/buffer", value, headers);
    if (text.value === value) text.value = "";
  });
}

const queue = openQueue("buffer", { verb: "in the buffer", onDone: () => {} }); // an event tells of it

takeInto(queue, [document.getElementById("file")], (given) => {
  if (given.length > 1) {
    refuse("The buffer holds one thing at a time. To share several files, use Send.");
    return;
  }
  queue.clear(); // what failed before
  const [{ file }] = given;
  const name = nameOf(given[0]) || "file";
  queue.add([{ file, name, fields: { name, data_type: "file" } }]);
});

textForm.addEventListener("submit", (event) => {
  event.preventDefault();
  putText(text.value);
});
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) textForm.requestSubmit();
});
document.addEventListener("paste", (event) => {
  const pasted = event.clipboardData;
  if (pasted.files.length || event.target.closest("input, textarea")) return;
  const value = pasted.getData("text/plain");
  if (value) putText(value);
});

document.addEventListener("click", (event) => {
  if (event.target.id === "clear") attempt(clear);
  if (event.target.id === "copy-image") attempt(() => copyImage(event.target));
  if (event.target.id === "copy") attempt(() => copyText(event.target));
});

async function clear() {
  current().focus();
  await ask("DELETE", "/v1/buffer");
}

// What was in it before: brought back or deleted without another page, where uploads would end.
document.addEventListener("submit", (event) => {
  const form = event.target.closest("#history form");
  if (!form) return;
  event.preventDefault();
  const path = `/v1/buffer/history/${form.action.split("/").at(-1)}`;
  const isBack = event.submitter.value === "restore";
  attempt(async () => {
    await (isBack ? ask("POST", `${path}/restore`) : ask("DELETE", path));
    await update();
    (isBack ? current() : document.querySelector("#history button") ?? current()).focus();
  });
});

async function copyImage(button) {
  const png = fetch(document.querySelector("img.content").src).then((answer) => answer.blob()).then(asPng);
  await navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
  said.textContent = button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy image"), 2000);
}

/** The image as the only type that every browser lets into the clipboard. */
async function asPng(blob) {
  if (blob.type === "image/png") return blob;
  const bitmap = await createImageBitmap(blob);
  const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

async function copyText(button) {
  let value = document.getElementById("text-shown").textContent;
  if ("cut" in button.dataset) value = await (await fetch(url("/v1/buffer"))).text();
  await copy(button, value);
}

// browsers give the clipboard to https pages only
document.documentElement.classList.toggle("copies-images", Boolean(navigator.clipboard && window.ClipboardItem));
listen();
