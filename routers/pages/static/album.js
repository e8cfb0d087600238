// The public page of an album, or of one picture: placeholders, and a viewer.

import { paintPlaceholders } from "./placeholders.js";
import { Viewer } from "./viewer.js";

const grid = document.getElementById("grid");

paintPlaceholders(grid);
new Viewer(document.getElementById("viewer"), grid, {
  onShown: (tile) => (document.getElementById("original").href = tile.dataset.original),
});
