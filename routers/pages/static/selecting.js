// What is selected, of rows of lists and tiles of grids alike, and what is done with all of it.
//
// `<form class="selection" data-list="id">` is the bar, and owner of the checkboxes of what the list shows. Buttons with
// `data-act` (`end`, `all`, `delete`) do what they say; others send the form. A click on a checkbox or beside it, with Ctrl or
// Shift anywhere, or a long press begins a selection; then a click anywhere goes on with it, and Escape ends it.

import { deleteAll, say } from "./deleting.js";
import { plural } from "./words.js";

const LONG = 500; // ms
const STILL = 10; // px that a finger may move meanwhile

const THING = "li, tr";
const APART = ".acts, .inside"; // what is done with one thing, and what is in it

const selections = new Map(); // by their forms

let press = null; // of a finger
let isHeld = false; // it was long, and its click means nothing

class Selection {
  #anchor = null; // the value of the box from which a range goes
  #length = 0;

  constructor(bar) {
    this.bar = bar;
    this.count = bar.querySelector("[data-count]");
    bar.addEventListener("click", (event) => this.#onClick(event));
  }

  get boxes() {
    return [...this.bar.elements].filter(({ type }) => type === "checkbox");
  }

  get selected() {
    return this.boxes.filter((box) => box.checked);
  }

  get isActive() {
    return this.#length > 0;
  }

  /** Select a thing, or not any more; all from the last one up to it, if a range is wanted. */
  choose(box, isChosen, isRange) {
    const { boxes } = this;
    const ends = [boxes.findIndex(({ value }) => value === this.#anchor), boxes.indexOf(box)];
    const range = isRange && ends[0] >= 0 ? boxes.slice(Math.min(...ends), Math.max(...ends) + 1) : [box];
    for (const one of range) one.checked = isChosen;
    this.#anchor = box.value;
    for (const other of selections.values()) if (other !== this && other.isActive) other.end();
    this.update();
  }

  all() {
    for (const box of this.boxes) box.checked = true;
    this.update();
  }

  end() {
    const hasFocus = this.bar.contains(document.activeElement);
    const last = this.boxes.find(({ value }) => value === this.#anchor);
    for (const box of this.selected) box.checked = false;
    this.update();
    if (hasFocus) last?.focus({ preventScroll: true });
  }

  update() {
    const { length } = this.selected;
    this.count.textContent = `${length.toLocaleString("en")} selected`;
    this.bar.classList.toggle("active", length > 0);
    document.getElementById(this.bar.dataset.list).classList.toggle("selecting", length > 0);
    if (length !== this.#length) say(length ? this.count.textContent : "Nothing is selected");
    this.#length = length;
    if (!length) this.#anchor = null;
  }

  #onClick(event) {
    const button = event.target.closest("[data-act]");
    const act = { end: () => this.end(), all: () => this.all(), delete: () => this.#delete(button.dataset) }[button?.dataset.act];
    if (!act) return;
    event.preventDefault(); // without scripts, some of them send the form
    act();
  }

  async #delete({ thing, question, done }) {
    const things = this.selected.map((box) => box.closest(THING));
    const inWords = (words, count) => words.replace("{things}", plural(count, thing));
    if (!confirm(inWords(question, things.length))) return;
    this.bar.inert = true;
    const onProgress = (gone) => (this.count.textContent = `${gone} of ${things.length}`);
    const { count, error } = await deleteAll(things, onProgress);
    this.bar.inert = false;
    this.update();
    say(error ? `${inWords(done, count)}. ${error.message}` : inWords(done, count), Boolean(error));
  }
}

/** The checkbox of the thing that somebody points at, and the selection that it belongs to. */
function pointedAt({ target }) {
  if (target.closest(APART)) return {};
  const box = target.closest(THING)?.querySelector('input[type="checkbox"]');
  return { box, selection: selections.get(box?.form) };
}

// before what opens a thing
document.addEventListener("click", (event) => {
  const { box, selection } = pointedAt(event);
  if (!selection) return;
  if (event.target === box && !isHeld) {
    selection.choose(box, box.checked, event.shiftKey);
    return;
  }
  const hasKey = event.ctrlKey || event.metaKey || event.shiftKey;
  const begins = event.target.closest(".face") || (hasKey && !event.target.closest(".what a"));
  if (!begins && !isHeld && !selection.isActive) return;
  event.preventDefault();
  if (!isHeld) selection.choose(box, event.shiftKey || !box.checked, event.shiftKey);
  isHeld = false;
}, true);

// a range selects no text
document.addEventListener("mousedown", (event) => {
  if (event.shiftKey && pointedAt(event).selection) event.preventDefault();
});

document.addEventListener("pointerdown", (event) => {
  isHeld = false;
  const { box, selection } = pointedAt(event);
  if (event.pointerType === "mouse" || !selection) return;
  const { clientX: x, clientY: y } = event;
  const timer = setTimeout(() => {
    isHeld = true;
    selection.choose(box, true, false);
  }, LONG);
  press = { x, y, timer };
});
document.addEventListener("pointermove", ({ clientX, clientY }) => {
  if (press && Math.hypot(clientX - press.x, clientY - press.y) > STILL) letGo();
});
for (const type of ["pointerup", "pointercancel"]) document.addEventListener(type, letGo);
document.addEventListener("contextmenu", (event) => {
  if (isHeld || press) event.preventDefault();
});

function letGo() {
  clearTimeout(press?.timer);
  press = null;
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open], :popover-open")) return;
  for (const selection of selections.values()) if (selection.isActive) selection.end();
});

for (const event of ["refreshed", "removed"]) document.addEventListener(event, updateAll);
updateAll(); // a browser may remember what was checked

/** Follow what has changed in the page: rows, or a bar that came with its list. */
function updateAll() {
  for (const bar of selections.keys()) if (!bar.isConnected) selections.delete(bar);
  for (const bar of document.querySelectorAll("form.selection")) {
    if (!selections.has(bar)) selections.set(bar, new Selection(bar));
    selections.get(bar).update();
  }
}
