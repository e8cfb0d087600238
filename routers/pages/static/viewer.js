// The viewer of a grid's pictures: full screen, by keys, mouse and fingers. Back closes it, and its URL is the picture's.

import { Zoom } from "./zoom.js";

const NEAR = 5; // pictures before the last that is there, from where more are asked for

export class Viewer {
  #tile = null;
  #onShown;
  #onNear;

  /** `onShown(tile)` hears of each picture that is shown, `onNear()` when the last ones of the grid are near. */
  constructor(dialog, grid, { onShown = () => {}, onNear = () => {} } = {}) {
    this.dialog = dialog;
    this.grid = grid;
    this.#onShown = onShown;
    this.#onNear = onNear;
    this.image = dialog.querySelector("#large");
    this.zoom = new Zoom(dialog.querySelector(".stage"), this.image, (way) => this.turn(way));
    grid.addEventListener("click", (event) => this.#onClick(event));
    dialog.addEventListener("click", (event) => this.#onAct(event.target.closest("[data-act]")?.dataset.act));
    dialog.addEventListener("keydown", (event) => this.#onKey(event));
    dialog.addEventListener("close", () => this.#onClose());
    addEventListener("popstate", ({ state }) => this.#onHistory(state?.picture));
    new MutationObserver(() => this.#updateTurns()).observe(grid, { childList: true, subtree: true });
    this.image.addEventListener("load", () => this.#onLoad());
  }

  /** The tile of the picture that is shown; null while the viewer is closed. */
  get tile() {
    return this.#tile;
  }

  /** Show a picture; whoever goes back is at the grid again. */
  open(tile) {
    history.pushState({ picture: tile.dataset.id }, "", pageOf(tile));
    this.#show(tile);
  }

  close() {
    this.dialog.close();
  }

  /** Turn to the next picture, or by -1 to the previous one. */
  turn(way) {
    const tile = this.#beside(way);
    if (!tile) return;
    history.replaceState({ picture: tile.dataset.id }, "", pageOf(tile));
    this.#show(tile);
  }

  /** Take a tile out of the grid, and show the one beside it, if there is one. */
  remove(tile) {
    const beside = this.#beside(1) ?? this.#beside(-1);
    if (beside && this.#tile === tile) this.turn(this.#beside(1) ? 1 : -1);
    else if (this.#tile === tile) this.close();
    tile.remove();
  }

  #show(tile) {
    this.#tile = tile;
    const { name, large, width, height, isOriginal } = tile.dataset;
    this.dialog.querySelector("#viewer-name").textContent = name;
    if (!this.dialog.open) this.dialog.showModal();
    this.image.alt = name;
    this.image.hidden = !large;
    this.image.removeAttribute("src"); // the one before is never under this one's name
    this.image.classList.add("loading");
    if (large) {
      const small = tile.querySelector("img");
      this.image.style.backgroundImage = small?.currentSrc ? `url("${small.currentSrc}")` : "";
      this.zoom.take(Number(width ?? small.naturalWidth), Number(height ?? small.naturalHeight), isOriginal !== undefined);
      this.image.src = large;
    }
    this.#updateTurns();
    this.#onShown(tile);
  }

  /** Fetch the pictures beside the one that is there now. */
  #onLoad() {
    this.image.classList.remove("loading");
    this.image.style.backgroundImage = ""; // what is see-through stays so
    if (navigator.connection?.saveData) return;
    for (const way of [1, -1]) {
      const large = this.#beside(way)?.dataset.large;
      if (large) new Image().src = large;
    }
  }

  #beside(way) {
    const tiles = [...this.grid.querySelectorAll(".tile")];
    return tiles[tiles.indexOf(this.#tile) + way];
  }

  #updateTurns() {
    if (!this.#tile) return;
    const tiles = [...this.grid.querySelectorAll(".tile")];
    const left = tiles.length - 1 - tiles.indexOf(this.#tile);
    this.dialog.querySelector("[data-act=newer]").disabled = left === tiles.length - 1;
    this.dialog.querySelector("[data-act=older]").disabled = left === 0;
    if (left < NEAR) this.#onNear();
  }

  #onClick(event) {
    const tile = event.target.closest(".tile");
    if (!tile || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey || !event.target.closest("a")) return;
    event.preventDefault();
    this.open(tile);
  }

  #onAct(act) {
    if (act === "close") this.close();
    if (act === "newer") this.turn(-1);
    if (act === "older") this.turn(1);
  }

  #onKey(event) {
    if (event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowLeft") this.turn(-1);
    else if (event.key === "ArrowRight") this.turn(1);
    else if (!this.zoom.press(event.key)) return;
    event.preventDefault();
  }

  #onClose() {
    const tile = this.#tile;
    this.#tile = null;
    this.image.removeAttribute("src");
    if (history.state?.picture) history.back();
    tile?.querySelector("a").focus();
  }

  /** Follow Back and Forward. */
  #onHistory(id) {
    const tile = id && this.grid.querySelector(`.tile[data-id="${CSS.escape(id)}"]`);
    if (tile) this.#show(tile);
    else if (this.dialog.open) this.close();
  }
}

function pageOf(tile) {
  return tile.dataset.page ?? tile.querySelector("a").href;
}
