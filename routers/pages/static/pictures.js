// The page of pictures: uploads, and a viewer with actions on a picture.

import { nameOf } from "./folders.js";
import { ask, url } from "./http.js";
import { fetchPage, growing } from "./parts.js";
import { openQueue, pickers, soon, takeInto } from "./uploads.js";
import { moment } from "./words.js";

const grid = document.getElementById("grid");
const said = document.getElementById("said");
const viewer = document.getElementById("viewer");
const part = (id) => document.getElementById(id);
const EXTENSION = /\.(jpe?g|png|webp|gif|avif|hei[cf]|hif)$/i;

let shown = null; // the tile of the picture in the viewer

// Uploads.

if (part("picker")) {
  const arrived = new Set(); // ids of pictures that the grid doesn't show yet
  const showArrived = soon(async () => {
    const fresh = await fetchPage(url("/pictures"));
    for (const tile of [...(fresh?.querySelectorAll("#grid > li") ?? [])].reverse()) {
      if (arrived.delete(tile.dataset.id)) grid.prepend(tile);
    }
    part("empty").hidden = grid.children.length > 0;
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

// The viewer.

grid.addEventListener("click", (event) => {
  const tile = event.target.closest(".tile");
  if (!tile || event.ctrlKey || event.metaKey || event.shiftKey || !event.target.closest("a")) return;
  event.preventDefault();
  show(tile);
});

function show(tile) {
  shown = tile;
  const { id, name, large, original, facts, time } = tile.dataset;
  part("viewer-name").textContent = name;
  part("large").alt = name;
  part("large").hidden = !large;
  if (large) part("large").src = large;
  part("facts").textContent = facts;
  part("time").dateTime = time;
  part("time").textContent = moment(time);
  part("new-name").value = name;
  part("wrong").textContent = "";
  if (part("original")) part("original").href = original;
  if (part("link")) {
    part("link").href = url(`/links?kind=picture&id=${id}`);
    Object.assign(part("link").dataset, { linkId: id, linkName: name });
  }
  part("previous").disabled = !tile.previousElementSibling;
  part("next").disabled = !tile.nextElementSibling;
  if (!viewer.open) viewer.showModal();
}

function turn(tile) {
  if (tile) show(tile);
}

part("previous").addEventListener("click", () => turn(shown.previousElementSibling));
part("next").addEventListener("click", () => turn(shown.nextElementSibling));
part("close").addEventListener("click", () => viewer.close());
viewer.addEventListener("click", (event) => {
  if (event.target === viewer) viewer.close(); // a click outside
});
viewer.addEventListener("close", () => {
  part("large").removeAttribute("src");
  shown?.querySelector("a").focus();
});
viewer.addEventListener("keydown", (event) => {
  if (event.target.matches("input")) return;
  if (event.key === "ArrowLeft") turn(shown.previousElementSibling);
  if (event.key === "ArrowRight") turn(shown.nextElementSibling);
});

part("rename").addEventListener("submit", async (event) => {
  event.preventDefault();
  const tile = shown;
  try {
    const picture = await ask("PATCH", `/v1/pictures/${tile.dataset.id}`, { name: part("new-name").value });
    tile.dataset.name = picture.name;
    tile.querySelector(".name").textContent = picture.name;
    if (shown === tile) part("viewer-name").textContent = picture.name;
    said.textContent = `It is called ${picture.name} now`;
  } catch (error) {
    part("wrong").textContent = error.message;
  }
});

part("delete").addEventListener("click", async () => {
  const tile = shown;
  const { id, name } = tile.dataset;
  if (!confirm(`Delete ${name}? Its links end with it.`)) return;
  try {
    await ask("DELETE", `/v1/pictures/${id}`);
  } catch (error) {
    part("wrong").textContent = error.message;
    return;
  }
  shown = tile.nextElementSibling ?? tile.previousElementSibling;
  tile.remove();
  viewer.close();
  part("empty").hidden = grid.children.length > 0;
  said.textContent = `${name} is deleted`;
});

// Further pages, on scrolling.

growing("more", "grid");
if (part("more")) {
  new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) part("more")?.click();
  }, { rootMargin: "600px" }).observe(part("more"));
}
