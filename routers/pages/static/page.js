// What every page of the app has: buttons that copy, times that run on, forms that ask before they end something.

import { duration, moment } from "./words.js";

// <button data-copy="text"> copies the text, and says so.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Copy it by hand"; // the browser gives the clipboard to https pages only
  }
  setTimeout(() => (button.textContent = label), 2000);
});

// <form data-confirm="Question?"> and <button data-confirm="Question?"> ask first.
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

// <time datetime="…" data-left> counts down; <time datetime="…" data-local> is in local time.
function tick() {
  for (const time of document.querySelectorAll("time[data-left]")) {
    const seconds = (new Date(time.dateTime) - Date.now()) / 1000;
    time.textContent = seconds > 0 ? duration(seconds) : "ended";
  }
}

export function localise(root = document) {
  for (const time of root.querySelectorAll("time[data-local]")) time.textContent = moment(time.dateTime);
}

localise();
tick();
setInterval(tick, 1000);
