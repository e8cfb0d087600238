// What every page of the app has: buttons that copy, times that run on, forms that ask before they end something.

import { forgetAll } from "./remembered.js";
import { duration, localise } from "./words.js";

const SHOWN = 2000; // ms that a button says what it has done
const SOON = 3600; // seconds: what ends within them looks so

// <button data-copy="text"> copies the text, and says so.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button, button.dataset.copy);
});

const labels = new WeakMap();

/** Copy a text, and let the button that was pressed for it say whether that worked. */
export async function copy(button, text) {
  const done = await copied(text, button.parentElement);
  const words = done ? "Copied" : "Copy it by hand";
  const said = document.getElementById("said");
  if (said) said.textContent = words;
  if (button.querySelector(".icon")) mark(button, done);
  else label(button, words);
}

function label(button, words) {
  if (!labels.has(button)) labels.set(button, button.textContent);
  button.textContent = words;
  setTimeout(() => (button.textContent = labels.get(button)), SHOWN);
}

function mark(button, done) {
  const use = button.querySelector("use");
  const [sprite, name] = use.getAttribute("href").split("#");
  if (!labels.has(button)) labels.set(button, name);
  use.setAttribute("href", `${sprite}#${done ? "check" : "warning"}`);
  button.classList.toggle("done", done);
  setTimeout(() => {
    use.setAttribute("href", `${sprite}#${labels.get(button)}`);
    button.classList.remove("done");
  }, SHOWN);
}

async function copied(text, place) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // browsers give the clipboard to https pages only; the older way works everywhere
  }
  const focused = document.activeElement;
  const field = Object.assign(document.createElement("textarea"), { value: text, className: "visually-hidden" });
  place.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  focused?.focus();
  return done;
}

// <form data-confirm="Question?"> and <button data-confirm="Question?"> ask first.
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

// Who signs out leaves nothing behind.
document.querySelector('form[action$="/account/logout"]')?.addEventListener("submit", forgetAll);

// <time datetime="…" data-left> counts down.
export function tick() {
  for (const time of document.querySelectorAll("time[data-left]")) {
    const seconds = (new Date(time.dateTime) - Date.now()) / 1000;
    const words = seconds > 0 ? duration(seconds) : "ended";
    if (time.textContent !== words) time.textContent = words; // of thousands, few change
    time.classList.toggle("soon", seconds < SOON);
  }
}

localise();
tick();
setInterval(tick, 1000);
setInterval(localise, 60_000, document); // today becomes yesterday
