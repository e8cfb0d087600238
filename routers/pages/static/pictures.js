// The page of pictures: uploads, albums of what is selected, and what can be done with the picture in the viewer.

import { nameOf } from "./folders.js";
import { ask, url } from "./http.js";
import { fetchPage, growing } from "./parts.js";
import { paintPlaceholders } from "./placeholders.js";
import { openQueue, pickers, soon, takeInto } from "./uploads.js";
import { Viewer } from "./viewer.js";
import { localise } from "./words.js";

const EXTENSION = /\.(jpe?g|png|webp|gif|avif|hei[cf]|hif)$/i;

const grid = document.getElementById("grid");
const said = document.getElementById("said");
const part = (id) => document.getElementById(id);

paintPlaceholders(grid);

function showHowMany() {
  for (const month of grid.querySelectorAll("section:not(:has(.tile))")) month.remove();
  part("empty").hidden = grid.children.length > 0;
}

new MutationObserver(showHowMany).observe(grid, { childList: true, subtree: true });

// Uploads.

if (part("picker")) {
  part("picker").required = false;
  const arrived = new Set(); // ids of pictures that the grid doesn't show yet
  const showArrived = soon(async () => {
    const fresh = await fetchPage(url("/pictures"));
    for (const tile of [...(fresh?.querySelectorAll("#grid .tile") ?? [])].reverse()) {
      if (arrived.delete(tile.dataset.id)) monthOf(tile, "prepend").prepend(tile);
    }
  });
  const onDone = (id) => {
    arrived.add(id);
    showArrived();
  };
  const isWanted = ({ file, path }) => path === file.name || EXTENSION.test(path); // a folder may have anything
  takeInto(openQueue("picture", { verb: "stored", onDone }), pickers(), (given, queue) => {
    queue.add(given.filter(isWanted).map(({ file, path }) => {
      const name = nameOf({ path });
      return { file, name, fields: { name: name.replace(EXTENSION, "") || name } };
    }));
  });
}

/** The list of the month that a tile is to move to; a month that isn't there is added by `how`. */
function monthOf(tile, how) {
  const section = tile.closest("section");
  const { month } = section.dataset;
  let there = [...grid.children].find((each) => each.dataset.month === month);
  if (!there) {
    there = section.cloneNode(true);
    there.querySelector("ul").replaceChildren();
    grid[how](there);
  }
  return there.querySelector("ul");
}

// The viewer.

let isAbout = false; // whether the facts are shown

const onNear = () => part("more")?.click();
const viewer = new Viewer(part("viewer"), grid, { onShown, onNear });

function onShown(tile) {
  const { id, name, original } = tile.dataset;
  part("wrong").textContent = "";
  if (part("original")) part("original").href = original;
  if (part("link")) {
    part("link").href = url(`/links?kind=picture&id=${id}`);
    Object.assign(part("link").dataset, { linkId: id, linkName: name });
  }
  if (isAbout) showFacts(tile);
}

part("about").addEventListener("click", () => {
  isAbout = !isAbout;
  part("about").ariaExpanded = String(isAbout);
  part("panel").hidden = !isAbout;
  if (isAbout) showFacts(viewer.tile);
});

/** Show what the picture's own page says of it. */
async function showFacts(tile) {
  part("panel").replaceChildren();
  const fresh = (await fetchPage(tile.querySelector("a").href))?.getElementById("panel");
  if (!fresh || viewer.tile !== tile) return;
  localise(fresh);
  part("panel").replaceChildren(...fresh.children);
}

part("panel").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { tile } = viewer;
  await attempt(async () => {
    const picture = await ask("PATCH", `/v1/pictures/${tile.dataset.id}`, { name: part("new-name").value });
    tile.dataset.name = picture.name;
    tile.querySelector(".name").textContent = picture.name;
    if (viewer.tile === tile) part("viewer-name").textContent = picture.name;
    said.textContent = `It is now called ${picture.name}`;
  });
});

part("delete").addEventListener("click", async () => {
  const { tile } = viewer;
  const { id, name } = tile.dataset;
  if (!confirm(`Delete ${name}? Its links end with it.`)) return;
  await attempt(async () => {
    await ask("DELETE", `/v1/pictures/${id}`);
    viewer.remove(tile);
    said.textContent = `${name} is deleted`;
  });
});

async function attempt(run) {
  try {
    part("wrong").textContent = "";
    await run();
  } catch (error) {
    part("wrong").textContent = error.message;
  }
}

// An album of those that are selected.

part("new-album")?.querySelector("[data-close]").addEventListener("click", () => part("new-album").close());
part("selection").querySelector("[data-act=album]")?.addEventListener("click", (event) => {
  event.preventDefault();
  part("new-album").showModal();
});

// Further pages, on scrolling.

growing("more", "grid", "600px");
if (part("more")) new MutationObserver(joinMonths).observe(grid, { childList: true });

/** Let a month that goes on in a further page be one. */
function joinMonths() {
  for (const section of grid.querySelectorAll("section + section")) {
    const before = section.previousElementSibling;
    if (before.dataset.month !== section.dataset.month) continue;
    before.querySelector("ul").append(...section.querySelectorAll(".tile"));
    section.remove();
  }
}
