// The public page of a link: the time that is left runs on, and at its end the button goes.

import { duration } from "./words.js";

const left = document.getElementById("left");

// from the seconds that the server gave: this device's clock may be wrong
const end = Date.now() + Number(left?.dataset.seconds) * 1000;

function tick() {
  const seconds = (end - Date.now()) / 1000;
  if (seconds > 0) {
    left.textContent = duration(seconds);
    return;
  }
  clearInterval(ticking);
  left.textContent = "none";
  document.getElementById("take").hidden = true;
  const said = document.createElement("p");
  said.className = "notice";
  said.textContent = "This link has ended. Ask for a new one.";
  document.getElementById("ended").replaceChildren(said);
}

const ticking = left && setInterval(tick, 1000);
if (left) tick();
