// The page for sending: several files at once, a link for each, and the list of those that there are.

import { optionsOf } from "./dialogs.js";
import { nameOf } from "./folders.js";
import { ask, url } from "./http.js";
import { inTurn, refresh } from "./parts.js";
import { showCode } from "./qr.js";
import { enter, expiring, leave } from "./room.js";
import { insist, openQueue, pickers, refuse, soon, takeInto } from "./uploads.js";
import { downloads, duration, size } from "./words.js";

const LOOK_AGAIN = 15_000; // ms; files end on other devices, too

const CARDS = 20; // that are shown; the list has the links of all

const form = document.getElementById("send");
const cards = document.getElementById("sent-files");
const said = document.getElementById("said");
const fields = pickers();
const endCards = inTurn(endDeadCards);
const lookAgain = () => endCards().catch(() => {}); // next time

let turn = Promise.resolve(); // whoever asks for room waits for those who asked before
let arrived = []; // ids of files that nothing shows yet

const queue = openQueue("file", {
  verb: "sent",
  onDone: (id) => {
    arrived.push(id);
    showArrived();
  },
});

fields[0].multiple = true; // a form without this script sends one
fields[0].required = false;
form.addEventListener("submit", (event) => event.preventDefault());
takeInto(queue, fields, (given) => {
  if (!form.reportValidity()) return;
  const options = { expires_in: form.elements.expires_in.value, ...optionsOf(form.elements) };
  turn = turn.then(() => send(given, options));
});

async function send(given, options) {
  let evicted = given.map(() => null); // what is kept takes nobody's place
  if (options.expires_in !== "0") {
    try {
      evicted = await insist(() => enter(given.length, Number(form.dataset.maxFiles), refuse));
      refuse();
    } catch (error) {
      refuse(error.message);
      return;
    }
  }
  if (evicted) queue.add(given.map((one, index) => described(one, options, evicted[index])));
}

function described({ file, path }, options, evict) {
  const name = nameOf({ path });
  const fields = { name, ...options };
  if (!evict) return { file, name, fields };
  return { file, name, fields: { ...fields, evict }, onEnd: () => leave(evict) };
}

const showArrived = soon(async () => {
  const ids = new Set(arrived);
  const { items } = await ask("GET", "/v1/files?limit=100");
  arrived = arrived.filter((id) => !ids.has(id));
  const fresh = items.filter(({ id }) => ids.has(id)).slice(0, CARDS);
  for (const file of fresh.reverse()) showCard(file);
  while (cards.children.length > CARDS) cards.lastElementChild.remove();
  await refresh("list");
  lookAgain();
});

function showCard(file) {
  const card = document.createElement("li");
  card.className = "card sent";
  card.append(document.getElementById("sent").content.cloneNode(true));
  card.dataset.file = file.id;
  card.querySelector("strong").textContent = file.name;
  card.querySelector(".about").textContent = `${size(file.size)}, ${lifetime(file)}`;
  cards.prepend(card);
  if (!file.link) {
    for (const part of card.querySelectorAll(".qr, .address, .row")) part.remove();
    return;
  }
  card.dataset.link = file.link;
  card.querySelector("img").src = url(`/v1/files/${file.id}/qr`);
  const link = card.querySelector("a");
  link.href = link.textContent = file.link;
  const copy = card.querySelector("[data-copy]");
  copy.dataset.copy = file.link;
  copy.setAttribute("aria-label", `Copy the link to ${file.name}`);
  const share = card.querySelector("[data-share]");
  share.hidden = !navigator.share;
  // a person who thinks better of it is no error
  share.addEventListener("click", () => navigator.share({ title: file.name, url: file.link }).catch(() => {}));
}

/** Let the cards whose links have died say so: their files were deleted, evicted or have expired. */
async function endDeadCards() {
  const linked = [...cards.querySelectorAll("[data-link]")];
  if (!linked.length) return;
  const alive = new Set((await expiring()).map((file) => file.link));
  for (const card of linked) if (!alive.has(card.dataset.link)) end(card, "This link has ended.");
}

function end(card, why) {
  for (const part of card.querySelectorAll(".qr, .address, .row")) part.remove();
  card.querySelector(".about").textContent = why;
  card.classList.add("ended");
  delete card.dataset.link;
}

function lifetime(file) {
  const seconds = (new Date(file.expires_at) - new Date(file.created_at)) / 1000;
  const facts = [file.expires_at ? `expires in ${duration(seconds)}` : "kept until you delete it"];
  if (file.max_downloads) facts.push(`deleted after ${downloads(file.max_downloads)}`);
  if (file.has_password) facts.push("with a password: send that another way");
  return facts.join(", ");
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
  const card = cards.querySelector(`[data-file="${button.dataset.delete}"]`);
  if (card) end(card, "It is deleted, and its links have ended.");
  const beside = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  (beside?.querySelector("[data-delete]") ?? document.getElementById("list")).focus();
  said.textContent = `${name} is deleted`;
  if (!beside) await refresh("list");
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
