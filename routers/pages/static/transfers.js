// Uploads that a person can watch: progress, speed, time left, and a way to cancel.

import { upload } from "./http.js";
import { duration, size } from "./words.js";

const AT_ONCE = 3;

let free = AT_ONCE;
let waiting = [];

/**
 * Send one body and show it as an item of `list`. Resolves to the API's answer, with the item left
 * to the caller as `item`; undefined when it was cancelled or failed, which the item then says.
 */
export async function transfer(list, name, method, path, body, headers = {}) {
  const item = document.createElement("li");
  item.className = "card transfer";
  const title = Object.assign(document.createElement("strong"), { textContent: name });
  const bar = Object.assign(document.createElement("progress"), { max: 1, value: 0 });
  bar.setAttribute("aria-label", `Progress of ${name}`);
  const state = Object.assign(document.createElement("span"), { className: "quiet" });
  state.textContent = "Waiting";
  const cancel = Object.assign(document.createElement("button"), {
    type: "button",
    className: "quiet-button",
    textContent: "Cancel",
  });
  cancel.setAttribute("aria-label", `Cancel ${name}`);
  const row = Object.assign(document.createElement("div"), { className: "row" });
  state.classList.add("grow");
  row.append(state, cancel);
  item.append(title, bar, row);
  list.append(item);

  const controller = new AbortController();
  cancel.addEventListener("click", () => controller.abort());
  let started = 0;
  const onProgress = (sent, total) => {
    bar.max = total || 1;
    bar.value = sent;
    const seconds = (performance.now() - started) / 1000;
    const speed = sent / Math.max(seconds, 0.001);
    state.textContent =
      sent < total
        ? `${size(sent)} of ${size(total)}, ${size(speed)}/s, ${duration((total - sent) / speed)} left`
        : "Storing";
  };
  try {
    await turn(controller.signal);
    started = performance.now();
    const { signal } = controller;
    const answer = await upload(method, path, body, { headers, onProgress, signal }).finally(handOn);
    item.replaceChildren();
    return { answer, item };
  } catch (error) {
    bar.remove();
    cancel.remove();
    state.textContent = error.name === "AbortError" ? "Cancelled" : error.message;
    if (error.name !== "AbortError") state.className = "error grow";
    state.setAttribute("role", "status");
    return undefined;
  }
}

/** Wait until fewer than `AT_ONCE` transfers run: a browser has few connections for each server. */
async function turn(signal) {
  if (free) {
    free -= 1;
    return;
  }
  await new Promise((resolve, reject) => {
    waiting.push(resolve);
    signal.addEventListener("abort", () => {
      waiting = waiting.filter((other) => other !== resolve);
      reject(new DOMException("Cancelled", "AbortError"));
    });
  });
}

function handOn() {
  const next = waiting.shift();
  if (next) next();
  else free += 1;
}

addEventListener("beforeunload", (event) => {
  if (free < AT_ONCE) event.preventDefault(); // the browser asks whether to leave
});

/** Take the files that are dropped on `target` or pasted into the page; `take` gets an array. */
export function takeFiles(target, take) {
  target.addEventListener("dragover", (event) => {
    event.preventDefault();
    target.classList.add("over");
  });
  target.addEventListener("dragleave", () => target.classList.remove("over"));
  target.addEventListener("drop", (event) => {
    event.preventDefault();
    target.classList.remove("over");
    if (event.dataTransfer.files.length) take([...event.dataTransfer.files]);
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    // office programs give a picture of the text beside it
    const isText = event.clipboardData?.types.includes("text/plain") && event.target.closest("input, textarea");
    if (files.length && !isText) take(files);
  });
}
