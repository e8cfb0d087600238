// The page for sending: several files at once, a link for each, and the list of those that there are.

import { ask, url } from "./http.js";
import { inTurn, refresh } from "./parts.js";
import { showCode } from "./qr.js";
import { enter, expiring, leave } from "./room.js";
import { takeFiles, transfer } from "./transfers.js";
import { duration, size } from "./words.js";

const LOOK_AGAIN = 15_000; // ms; files end on other devices, too

const form = document.getElementById("send");
const refused = document.getElementById("refused");
const transfers = document.getElementById("transfers");
const said = document.getElementById("said");
const picker = form.elements.file;
const refreshList = inTurn(() => refresh("list"));
const endCards = inTurn(endDeadCards);
const lookAgain = () => endCards().catch(() => {}); // next time

let turn = Promise.resolve(); // whoever asks for room waits for those who asked before

picker.multiple = true; // a form without this script sends one
picker.required = false;
picker.addEventListener("change", () => {
  send([...picker.files]);
  picker.value = ""; // so that the same file can be chosen again
});
form.addEventListener("submit", (event) => event.preventDefault());
takeFiles(document.body, send);

function send(files) {
  const expiresIn = form.elements.expires_in.value;
  turn = turn.then(() => sendAll(files, expiresIn));
}

async function sendAll(files, expiresIn) {
  refused.hidden = true;
  let evicted = files.map(() => null); // what is kept takes nobody's place
  try {
    if (expiresIn !== "0") evicted = await enter(files.length, Number(form.dataset.maxFiles));
  } catch (error) {
    refused.textContent = error.message;
    refused.hidden = false;
    return;
  }
  evicted?.forEach((id, index) => sendOne(files[index], expiresIn, id));
}

async function sendOne(file, expiresIn, evicted) {
  const body = new FormData();
  body.append("expires_in", expiresIn);
  if (evicted) body.append("evict", evicted);
  body.append("file", file);
  const done = await transfer(transfers, file.name, "POST", "/v1/files", body);
  if (evicted) leave(evicted);
  if (!done) return;
  show(done.item, done.answer);
  said.textContent = `${done.answer.name} is sent`;
  await refreshList();
  lookAgain();
}

function show(item, file) {
  item.className = "card sent";
  item.append(document.getElementById("sent").content.cloneNode(true));
  item.dataset.file = file.id;
  item.querySelector("strong").textContent = file.name;
  item.querySelector(".about").textContent = `${size(file.size)}, ${lifetime(file)}`;
  if (!file.link) {
    for (const part of item.querySelectorAll(".qr, .address, .row")) part.remove();
    return;
  }
  item.dataset.link = file.link;
  item.querySelector("img").src = url(`/v1/files/${file.id}/qr`);
  const link = item.querySelector("a");
  link.href = link.textContent = file.link;
  const copy = item.querySelector("[data-copy]");
  copy.dataset.copy = file.link;
  copy.setAttribute("aria-label", `Copy the link to ${file.name}`);
  const share = item.querySelector("[data-share]");
  share.hidden = !navigator.share;
  // a person who thinks better of it is no error
  share.addEventListener("click", () => navigator.share({ title: file.name, url: file.link }).catch(() => {}));
}

/** Let the cards whose links have died say so: their files were deleted, evicted or have expired. */
async function endDeadCards() {
  const cards = [...transfers.querySelectorAll("[data-link]")];
  if (!cards.length) return;
  const alive = new Set((await expiring()).map((file) => file.link));
  for (const card of cards) if (!alive.has(card.dataset.link)) end(card, "This link has ended.");
}

function end(card, why) {
  for (const part of card.querySelectorAll(".qr, .address, .row")) part.remove();
  card.querySelector(".about").textContent = why;
  card.classList.add("ended");
  delete card.dataset.link;
}

function lifetime(file) {
  if (!file.expires_at) return "kept until you delete it";
  return `expires in ${duration((new Date(file.expires_at) - new Date(file.created_at)) / 1000)}`;
}

document.addEventListener("click", (event) => {
  const control = event.target.closest("[data-qr], [data-delete], #more");
  if (!control) return;
  if (control.dataset.delete) {
    remove(control);
    return;
  }
  event.preventDefault();
  if (control.id === "more") showMore(control);
  else showCode(control.href, control.dataset.qr, control.closest("li").dataset.name);
});

async function remove(button) {
  const row = button.closest("li");
  const { name } = row.dataset;
  if (!confirm(`Delete ${name}? Its links end at once.`)) return;
  button.disabled = true;
  try {
    await ask("DELETE", `/v1/files/${button.dataset.delete}`);
  } catch (error) {
    if (error.status !== 404) {
      button.disabled = false;
      said.textContent = error.message;
      alert(error.message);
      return;
    }
  }
  const card = transfers.querySelector(`[data-file="${button.dataset.delete}"]`);
  if (card) end(card, "It is deleted, and its links have ended.");
  const beside = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  (beside?.querySelector("[data-delete]") ?? document.getElementById("list")).focus();
  said.textContent = `${name} is deleted`;
  if (!beside) await refreshList();
}

async function showMore(link) {
  link.setAttribute("aria-disabled", "true");
  const answer = await fetch(link.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) {
    location.assign(link.href);
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const rows = [...page.querySelectorAll("#files > li")].map((row) => document.adoptNode(row));
  document.getElementById("files").append(...rows);
  rows[0]?.querySelector("button, a").focus();
  const more = page.getElementById("more");
  if (more) link.replaceWith(document.adoptNode(more));
  else link.remove();
}

setInterval(() => {
  if (document.visibilityState === "visible") lookAgain();
}, LOOK_AGAIN);

// what has expired is gone
setInterval(() => {
  for (const time of document.querySelectorAll("#files time[data-left]")) {
    if (new Date(time.dateTime) <= Date.now()) time.closest("li").remove();
  }
}, 1000);
