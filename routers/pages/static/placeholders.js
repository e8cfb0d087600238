// Placeholders of a grid's pictures, until these are there.

import { paint } from "./thumbhash.js";

const AHEAD = "800px"; // of what is scrolled into view

/** Paint the placeholders of all tiles in `grid`, and of those that come. */
export function paintPlaceholders(grid) {
  const near = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      cover(target);
    }
  }, { rootMargin: AHEAD });
  const observe = (within) => within.querySelectorAll("[data-thumbhash]").forEach((tile) => near.observe(tile));
  new MutationObserver((changes) => {
    for (const { target, addedNodes } of changes) if (addedNodes.length && !target.closest(".tile")) observe(target);
  }).observe(grid, { childList: true, subtree: true });
  observe(grid);
}

function cover(tile) {
  const image = tile.querySelector("img");
  const { thumbhash } = tile.dataset;
  delete tile.dataset.thumbhash;
  if (!image || image.complete) return;
  const canvas = document.createElement("canvas");
  paint(canvas, thumbhash);
  image.before(canvas);
  image.addEventListener("load", () => canvas.remove(), { once: true });
}
