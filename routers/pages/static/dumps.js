// A list of dumps, of all or of one signature: uploads, archiving, and reports that appear when they are ready.

import { nameOf } from "./folders.js";
import { ask, url } from "./http.js";
import { fetchPage, growing, looking } from "./parts.js";
import { openQueue, pickers, soon, takeInto } from "./uploads.js";
import { files, localise } from "./words.js";

const rows = document.getElementById("rows");
const notice = document.getElementById("notice");
const part = (id) => document.getElementById(id);

const gone = new Set(); // ids of dumps removed from the list, which a pending response may still hold

growing("more", "rows");

const look = looking(() => rows.querySelector('[data-state="pending"]'), update);
look();

// Uploads.

if (part("picker")) {
  const showArrived = soon(async () => {
    await update();
    look();
  });
  const queue = openQueue("dump", {
    onDone: (id, { name }) => {
      const { count } = queue.finished;
      if (queue.left === 0) count === 1 ? say(`${name} is stored`, id) : say(`${files(count)} are stored`);
      showArrived();
    },
  });
  takeInto(queue, pickers(), (given) => {
    const label = part("upload-label").value;
    queue.add(given.map(({ file, path }) => {
      const name = nameOf({ path });
      return { file, name, fields: { name, label } };
    }));
  });
}

/** Refresh the rows and charts of the first page; rows of further pages stay. */
async function update() {
  const fresh = await fetchPage(location.href);
  if (!fresh) return;
  for (const row of [...fresh.querySelectorAll("#rows > tr")].reverse()) {
    const old = rows.querySelector(`[data-id="${row.dataset.id}"]`);
    if (!old && !gone.has(row.dataset.id)) rows.prepend(row);
    else if (old && isNews(old, row)) old.replaceWith(row);
  }
  const table = fresh.querySelector("#counts details");
  if (table) table.open = document.querySelector("#counts details")?.open ?? false;
  for (const id of ["counts", "labels", "tabs"]) part(id)?.replaceWith(fresh.getElementById(id));
  part("filters").hidden = false;
  showHowMany();
  localise(rows);
}

/** Tell whether a row has changed and does not have the focus. */
function isNews(old, row) {
  return old.dataset.state !== row.dataset.state && !old.contains(document.activeElement);
}

function showHowMany() {
  part("dumps").hidden = rows.children.length === 0;
  part("empty").hidden = rows.children.length > 0;
}

// Actions on a dump.

rows.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-archived]");
  if (!button || button.ariaBusy === "true") return;
  const row = button.closest("tr");
  button.ariaBusy = "true"; // a disabled button would lose the focus
  try {
    await archive(row, button);
  } catch (error) {
    say(error.message);
  } finally {
    button.ariaBusy = "false";
  }
});

async function archive(row, button) {
  const archived = button.dataset.archived !== "true";
  const { id, name } = row.dataset;
  await ask("PATCH", `/v1/dumps/${id}`, { archived });
  say(`${name} is ${archived ? "archived" : "no longer archived"}`, id);
  leave(row);
}

document.addEventListener("deleted", ({ detail: id }) => gone.add(id));
document.addEventListener("removed", showHowMany);

part("selection").addEventListener("click", async ({ target }) => {
  if (target.dataset.act !== "archive") return;
  try {
    for (const box of [...rows.querySelectorAll(".face > input:checked")]) {
      const row = box.closest("tr");
      await archive(row, row.querySelector("[data-archived]"));
    }
  } catch (error) {
    say(error.message);
  }
});

/** Remove a row; if it has the focus, move that to its neighbour. */
function leave(row) {
  const neighbour = row.nextElementSibling ?? row.previousElementSibling;
  gone.add(row.dataset.id);
  row.remove();
  document.dispatchEvent(new Event("removed"));
  (neighbour?.querySelector("a") ?? part("picker") ?? part("q")).focus({ preventScroll: true });
}

function say(text, id) {
  notice.replaceChildren(`${text}. `);
  if (id) {
    const link = Object.assign(document.createElement("a"), { href: url(`/dumps/${id}`), textContent: "Look at it" });
    notice.append(link);
  }
  notice.hidden = false;
}

// A change of a filter applies at once.
part("show").addEventListener("change", () => part("filters").requestSubmit());
