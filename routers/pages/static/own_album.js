// The page of an album for its owner: placeholders, a viewer, further pages.

import { growing } from "./parts.js";
import { paintPlaceholders } from "./placeholders.js";
import { Viewer } from "./viewer.js";

const grid = document.getElementById("grid");
const original = document.getElementById("original");

paintPlaceholders(grid);
growing("more", "grid", "600px");
new Viewer(document.getElementById("viewer"), grid, {
  onShown: (tile) => {
    if (original) original.href = tile.dataset.original;
  },
  onNear: () => document.getElementById("more")?.click(),
});
