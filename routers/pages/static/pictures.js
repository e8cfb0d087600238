// The page of pictures: uploads, and a viewer with actions on a picture.

import { ask, url } from "./http.js";
import { fetchPage, growing } from "./parts.js";
import { takeFiles, transfer } from "./transfers.js";
import { moment } from "./words.js";

const grid = document.getElementById("grid");
const said = document.getElementById("status");
const viewer = document.getElementById("viewer");
const part = (id) => document.getElementById(id);
const EXTENSION = /\.(jpe?g|png|webp|gif|avif|hei[cf]|hif)$/i;

let shown = null; // the tile of the picture in the viewer

// Uploads.

async function send(files) {
  await Promise.all(files.map(sendOne));
}

async function sendOne(file) {
  const form = new FormData();
  form.append("name", file.name.replace(EXTENSION, "") || file.name);
  form.append("img", file);
  const done = await transfer(part("transfers"), file.name, "POST", "/v1/pictures", form);
  if (!done) return;
  await arrived(done.answer.id);
  done.item.remove();
  said.textContent = `${done.answer.name} is stored`;
}

async function arrived(id) {
  const fresh = await fetchPage(url("/pictures"));
  const tile = fresh?.querySelector(`[data-id="${id}"]`);
  if (!tile) return;
  grid.prepend(tile);
  part("empty").hidden = true;
}

if (part("drop")) {
  const files = part("files");
  part("pick").addEventListener("click", () => files.click());
  files.addEventListener("change", () => {
    send([...files.files]);
    files.value = "";
  });
  takeFiles(document.body, send);
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
  if (part("link")) part("link").href = url(`/links?kind=picture&id=${id}`);
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

growing("more", grid);
if (part("more")) {
  new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) part("more")?.click();
  }, { rootMargin: "600px" }).observe(part("more"));
}
