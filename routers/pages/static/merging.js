// Lists as they are now, put into the place of what a page shows: rows that are the same stay, with all their state.

const sources = new WeakMap(); // what the server made, by rows, which times and selections change

/** Let the first list in `old` have the rows of that in `fresh`; false if one of them has none. */
export function merge(old, fresh) {
  const [[list, ...further], [newer]] = [old, fresh].map((part) => [...part.querySelectorAll(":scope > .items")]);
  if (!list || !newer) return false;
  old.hidden = fresh.hidden;
  const [links, rows] = [[old, fresh].map((part) => part.querySelector("a[id^=more]")), [...newer.children]];
  const beyond = links[1] ? rowsBeyond(list, rows) : null;
  mergeRows(list, rows, new Set(beyond));
  if (!beyond) for (const one of further) one.remove();
  if (!beyond?.length && !(beyond && further.length)) mergeLink(old, ...links);
  return true;
}

/** The rows of the first list that are below what is its first page now; null if all are others. */
function rowsBeyond(list, rows) {
  const first = new Set(rows.map(({ id }) => id));
  const shown = [...list.children];
  const last = shown.findLastIndex(({ id }) => first.has(id));
  return last < 0 ? null : shown.slice(last + 1);
}

function mergeRows(list, rows, beyond) {
  const wanted = rows.map((row) => {
    const shown = document.getElementById(row.id);
    const source = row.outerHTML;
    if (shown && (sources.get(shown) === source || shown.querySelector(":popover-open"))) return shown;
    sources.set(row, source);
    const [box, shownBox] = [row, shown].map((one) => one?.querySelector(":scope > .face > input"));
    if (box && shownBox) box.checked = shownBox.checked;
    shown?.remove();
    return document.adoptNode(row);
  });
  const stays = new Set(wanted);
  for (const row of [...list.children]) if (!stays.has(row) && !beyond.has(row)) row.remove();
  let place = list.firstElementChild;
  for (const row of wanted) {
    if (row === place) place = place.nextElementSibling;
    else list.insertBefore(row, place);
  }
}

function mergeLink(old, link, newer) {
  if (link && newer) link.href = newer.href;
  else if (newer) old.append(document.adoptNode(newer.closest("p")));
  else link?.closest("p").remove();
}
