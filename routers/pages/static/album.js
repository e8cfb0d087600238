// The public page of an album, or of one picture: placeholders, and a viewer.

import { growing } from "./parts.js";
import { paintPlaceholders } from "./placeholders.js";
import { Viewer } from "./viewer.js";

const grid = document.getElementById("grid");

paintPlaceholders(grid);
growing("more", "grid", "600px");
new Viewer(document.getElementById("viewer"), grid, {
  onNear: () => document.getElementById("more")?.click(),
  onShown: (tile) => (document.getElementById("original").href = tile.dataset.original),
});
