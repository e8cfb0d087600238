// Rows that are selected, and what is done with all of them. A click on a row's checkbox, with Ctrl on the
// row, or a long press begins it; then a click anywhere on a row goes on with it, and Escape ends it.

import { deleteAll, say } from "./deleting.js";
import { files } from "./words.js";

const LONG = 500; // ms
const STILL = 10; // px that a finger may move meanwhile

const bar = document.getElementById("selection");
const count = document.getElementById("selected");
const BOX = ".face > input";

let anchor = null; // the row from which a range goes
let press = null; // of a finger
let isHeld = false; // it was long, and its click means nothing

function boxes() {
  return [...document.querySelectorAll(`.item > ${BOX}`)];
}

function selected() {
  return boxes().filter((box) => box.checked);
}

function update() {
  const { length } = selected();
  count.textContent = `${length.toLocaleString("en")} selected`;
  bar.classList.toggle("active", length > 0);
  document.getElementById("list").classList.toggle("selecting", length > 0);
  if (!length) anchor = null;
}

function end() {
  for (const box of selected()) box.checked = false;
  update();
}

/** Select a row, or not any more; all from the last one up to it, if a range is wanted. */
function choose(box, isChosen, isRange) {
  const row = box.closest(".item");
  const all = boxes();
  const ends = [anchor, row].map((one) => all.findIndex((other) => one?.contains(other)));
  const range = isRange && ends[0] >= 0 ? all.slice(Math.min(...ends), Math.max(...ends) + 1) : [box];
  for (const one of range) one.checked = isChosen;
  anchor = row;
  update();
}

document.addEventListener("click", (event) => {
  const row = event.target.closest(".item");
  const box = row?.querySelector(`:scope > ${BOX}`);
  if (!box || event.target.closest(".acts")) return;
  if (event.target === box) {
    choose(box, box.checked, event.shiftKey);
    return;
  }
  const hasKey = event.ctrlKey || event.metaKey || event.shiftKey;
  const begins = event.target.closest(".face") || (hasKey && !event.target.closest("a"));
  if (!begins && !isHeld && !bar.classList.contains("active")) return;
  event.preventDefault();
  if (!isHeld) choose(box, event.shiftKey || !box.checked, event.shiftKey);
});

// a range selects no text
document.addEventListener("mousedown", (event) => {
  if (event.shiftKey && event.target.closest(".item")) event.preventDefault();
});

document.addEventListener("pointerdown", (event) => {
  isHeld = false;
  const box = event.target.closest(".item")?.querySelector(`:scope > ${BOX}`);
  if (event.pointerType !== "touch" || !box || event.target.closest(".acts")) return;
  const { clientX: x, clientY: y } = event;
  const timer = setTimeout(() => {
    isHeld = true;
    choose(box, true, false);
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
  const isBusy = document.querySelector("dialog[open], :popover-open");
  if (event.key === "Escape" && !isBusy && bar.classList.contains("active")) end();
});

bar.addEventListener("click", ({ target }) => {
  const act = target.closest("[data-act]")?.dataset.act;
  if (act === "end") end();
  if (act === "all") {
    for (const box of boxes()) box.checked = true;
    update();
  }
  if (act === "delete") remove();
});

async function remove() {
  const rows = selected().map((box) => box.closest(".item"));
  const what = files(rows.length);
  if (!confirm(`Delete ${what}? ${rows.length === 1 ? "Its" : "Their"} links end at once.`)) return;
  bar.inert = true;
  const progress = (gone) => (count.textContent = `${gone} of ${rows.length} deleted`);
  const { count: gone, error } = await deleteAll(rows, progress);
  bar.inert = false;
  update();
  const done = `${files(gone)} ${gone === 1 ? "is" : "are"} deleted`;
  say(error ? `${done}. ${error.message}` : done, Boolean(error));
}

document.addEventListener("refreshed", update);
update(); // a browser may remember what was checked
