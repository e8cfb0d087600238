// The public page of a link: the time that is left runs on, and a download that is claimed is told of.

import { duration, localise } from "./words.js";

// from the seconds that the server gave: this device's clock may be wrong
const end = Date.now() + Number(document.getElementById("left")?.dataset.seconds) * 1000;

function tick() {
  const left = document.getElementById("left");
  if (!left) return;
  const seconds = (end - Date.now()) / 1000;
  if (seconds > 0) {
    left.textContent = duration(seconds);
    return;
  }
  clearInterval(ticking);
  left.parentElement.textContent = "has ended";
  document.getElementById("take").hidden = true;
  say("This link has ended. Ask for a new one.");
}

function say(text) {
  const said = Object.assign(document.createElement("p"), { className: "notice", textContent: text });
  (document.getElementById("notice") ?? document.getElementById("said")).replaceChildren(said);
}

// a download leaves its page as it was, so the page claims it itself, and knows what came of it
document.addEventListener("submit", async (event) => {
  const form = event.target;
  const button = form.querySelector("[name=lease]");
  if (!button) return; // it only opens the page
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form));
  body.set("lease", button.value);
  button.disabled = true;
  let answer;
  try {
    answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" }, redirect: "manual" });
  } catch {
    say("The server can't be reached.");
    button.disabled = false;
    return;
  }
  if (answer.type === "opaqueredirect") begin(form, button);
  else show(await answer.text());
});

/** Start the download that was claimed, and offer it again: nobody has to claim another. */
function begin(form, button) {
  const template = document.getElementById("begun");
  if (!template) {
    beginOneOfSeveral(form, button);
    return;
  }
  const begun = template.content.cloneNode(true);
  const again = begun.querySelector("a");
  const [notice] = begun.children;
  document.getElementById("said").replaceChildren(notice);
  document.getElementById("take").replaceChildren(begun);
  countDown();
  again.focus();
  location.assign(again.href);
}

/** Start a download of a page that has more of them; its button gets the same again, which counts no further. */
function beginOneOfSeveral(form, button) {
  if (!button.dataset.taken) countDown();
  button.dataset.taken = "true";
  button.disabled = false;
  button.textContent = "Download again";
  button.removeAttribute("aria-label");
  location.assign(`${form.action}?lease=${encodeURIComponent(button.value)}`);
}

function countDown() {
  const downloads = document.getElementById("downloads");
  if (downloads) downloads.textContent = Number(downloads.textContent) - 1 || "none";
}

/** Show what the server answers instead: that the password is wrong, that the link has ended. */
function show(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  document.title = page.title;
  document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
  document.querySelector("[autofocus]")?.focus();
  localise();
  tick();
}

const ticking = setInterval(tick, 1000);
localise();
tick();
