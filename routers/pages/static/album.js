// The page of an album: placeholders, and a viewer of its pictures.

import { paintPlaceholders } from "./placeholders.js";
import { Viewer } from "./viewer.js";

const grid = document.getElementById("grid");

paintPlaceholders(grid);
new Viewer(document.getElementById("viewer"), grid, {
  onShown: (tile) => (document.getElementById("original").href = tile.dataset.original),
});
