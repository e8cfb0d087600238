// Rows whose things are deleted: `<button data-delete="/v1/…" data-question="…" data-done="…">` asks, and deletes; with
// `data-then="/…"` the thing is what the page is about, and that page comes then.

import { ask, url } from "./http.js";
import { refresh } from "./parts.js";

const ROW = ".item, .tile, tr:has([data-delete])";
const AT_ONCE = 6; // browsers make no more connections

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-delete]");
  if (button && confirm(button.dataset.question)) remove(button);
});

async function remove(button) {
  const { then } = button.dataset;
  if (then) return leaveFor(then, button.dataset.delete);
  const { error } = await deleteAll([button.closest(ROW)]);
  say(error?.message ?? button.dataset.done, Boolean(error));
}

/** Delete what a page is about, and go to another. */
async function leaveFor(then, path) {
  try {
    await ask("DELETE", path);
    location.assign(url(then));
  } catch (error) {
    say(error.message, true);
  }
}

/**
 * Delete what rows or tiles show, and take these away; `onProgress(count)` hears how many are gone. Ends at
 * the first error, which it resolves to with the `count` of those that are gone.
 */
export async function deleteAll(rows, onProgress = () => {}) {
  const left = rows.map((row) => [row, row.querySelector("[data-delete]").dataset.delete]);
  const gone = [];
  let error = null;
  const work = async () => {
    while (left.length && !error) {
      const [row, path] = left.shift();
      try {
        await ask("DELETE", path);
      } catch (problem) {
        if (problem.status !== 404) {
          error = problem;
          return;
        }
      }
      gone.push(row);
      document.dispatchEvent(new CustomEvent("deleted", { detail: path.split("/").at(-1) }));
      onProgress(gone.length);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  await takeAway(gone);
  return { count: gone.length, error };
}

/** Take rows or tiles away; what is beside them gets the focus. */
async function takeAway(rows) {
  if (!rows.length) return;
  const going = new Set(rows);
  const all = [...document.querySelectorAll(ROW)];
  const at = all.findIndex((row) => going.has(row));
  const beside = all.slice(at).find((row) => !going.has(row)) ?? all.slice(0, at).at(-1);
  const lists = new Set(rows.map((row) => row.parentElement));
  for (const row of rows) row.remove();
  document.dispatchEvent(new Event("removed"));
  const next = beside?.querySelector("[popovertarget]") ?? beside?.querySelector("a") ?? document.getElementById("list");
  next?.focus({ preventScroll: true });
  if ([...lists].some((list) => list.matches(".items") && !list.children.length)) await refresh("bundle-list", "list"); // says what follows
}

/** Say how it went, or what is so now. */
export function say(words, isWrong = false) {
  const said = document.getElementById("said");
  said.textContent = words;
  said.className = isWrong ? "notice error" : "visually-hidden"; // the list shows what went well
}
