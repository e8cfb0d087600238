// The page of one picture: it can be zoomed, and turned to those beside it by arrows and swipes.

import { Zoom } from "./zoom.js";

const image = document.getElementById("large");
const stage = document.querySelector(".stage");

function turn(way) {
  document.querySelector(way > 0 ? ".turn.older" : ".turn.newer")?.click();
}

const zoom = new Zoom(stage, image ?? document.createElement("img"), turn);
if (image) zoom.take(Number(image.getAttribute("width")), Number(image.getAttribute("height")), image.dataset.isOriginal !== undefined);

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "ArrowLeft") turn(-1);
  else if (event.key === "ArrowRight") turn(1);
  else if (event.key === "Escape") document.getElementById("back").click();
  else if (!zoom.press(event.key)) return;
  event.preventDefault();
});
