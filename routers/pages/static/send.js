// The page for sending: several files at once, with one link or a link for each, and the list of all.

import { Closer, haveLink, makeBundle } from "./bundles.js";
import { optionsOf } from "./dialogs.js";
import { nameOf } from "./folders.js";
import { ask, url } from "./http.js";
import { growing, inTurn, refresh } from "./parts.js";
import { enter, expiring, leave } from "./room.js";
import { offerShare } from "./sharing.js";
import { insist, openQueue, pickers, refuse, soon, takeInto } from "./uploads.js";
import { downloads, duration, files, size } from "./words.js";

const LOOK_AGAIN = 15_000; // ms; files end on other devices, too

const CARDS = 20; // that are shown; the list has the links of all

const form = document.getElementById("send");
const together = document.getElementById("together");
const cards = document.getElementById("sent-files");
const said = document.getElementById("said");
const fields = pickers();
const endCards = inTurn(endDeadCards);
const lookAgain = () => endCards().catch(() => {}); // next time

let turn = Promise.resolve(); // whoever asks for room waits for those who asked before
let arrived = []; // ids of files that nothing shows yet

const showLists = soon(() => refresh("bundle-list", "list"));
const closer = new Closer(showLists);
const queue = openQueue("file", {
  verb: "sent",
  onDone: (id, { fields: { bundle } }) => {
    if (bundle) {
      closer.watch(bundle);
      showLists();
      return;
    }
    arrived.push(id);
    showArrived();
  },
  onChange: (queue) => closer.check(queue),
});

fields[0].multiple = true; // a form without this script sends one
fields[0].required = false;
form.addEventListener("submit", (event) => event.preventDefault());
takeInto(queue, fields, (given) => {
  if (!form.reportValidity()) return;
  const options = { expires_in: form.elements.expires_in.value, ...optionsOf(form.elements) };
  const isBundle = together.checked && given.length > 1 && haveLink(options);
  turn = turn.then(() => (isBundle ? sendTogether : send)(given, options)).catch((error) => refuse(error.message));
});

async function send(given, options) {
  const evicted = await roomFor(given.length, options);
  if (evicted) queue.add(given.map((one, index) => described(one, options, evicted[index])));
}

async function sendTogether(given, options) {
  const evicted = await roomFor(1, options);
  if (!evicted) return;
  let made;
  try {
    made = await makeBundle(given, options, evicted[0]);
  } finally {
    if (evicted[0]) leave(evicted[0]);
  }
  if (!made) return;
  const sum = given.reduce((bytes, { file }) => bytes + file.size, 0);
  showCard({ ...made.bundle, size: sum, count: given.length }, "/v1/bundles");
  closer.watch(made.bundle.id);
  queue.add(made.uploads);
  showLists();
}

/** Find room for things that expire; resolves to what each may evict, or null for none of them. */
async function roomFor(count, { expires_in }) {
  if (expires_in === "0") return Array(count).fill(null); // what is kept takes nobody's place
  const evicted = await insist(() => enter(count, Number(form.dataset.maxFiles), refuse));
  refuse();
  return evicted;
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
  for (const file of fresh.reverse()) showCard(file, "/v1/files");
  while (cards.children.length > CARDS) cards.lastElementChild.remove();
  await refresh("list");
  document.getElementById("find").hidden = false;
  lookAgain();
});

/** Show a file or a bundle that has just been sent, given with the list that it is in. */
function showCard(file, list) {
  const card = document.createElement("li");
  card.className = "card sent";
  card.append(document.getElementById("sent").content.cloneNode(true));
  card.dataset.file = file.id;
  card.querySelector("strong").textContent = file.name;
  const facts = [size(file.size), lifetime(file)];
  if (file.count) facts.unshift(files(file.count));
  card.querySelector(".about").textContent = facts.join(", ");
  cards.prepend(card);
  if (!file.link) {
    for (const part of card.querySelectorAll(".qr, .address, .row")) part.remove();
    return;
  }
  if (file.expires_at) card.dataset.link = file.link;
  card.querySelector("img").src = url(`${list}/${file.id}/qr`);
  const link = card.querySelector("a");
  link.href = link.textContent = file.link;
  const copy = card.querySelector("[data-copy]");
  copy.dataset.copy = file.link;
  copy.setAttribute("aria-label", `Copy the link to ${file.name}`);
  offerShare(card.querySelector("[data-share]"), file.name, file.link);
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
  if (file.has_password) facts.push("with a password: send it separately");
  return facts.join(", ");
}

growing("more", "files");
growing("more-bundles", "bundles");

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-close-bundle]");
  if (button) close(button.dataset);
});

/** Close a bundle to which something may be added. */
async function close({ closeBundle: id, name }) {
  try {
    await ask("PATCH", `/v1/bundles/${id}`, { is_open: false });
    said.textContent = `${name} is closed`;
  } catch (error) {
    said.textContent = error.message;
  }
  await refresh("bundle-list");
}

document.addEventListener("deleted", ({ detail: id }) => {
  const card = cards.querySelector(`[data-file="${id}"]`);
  if (card) end(card, "Deleted. Its links have ended.");
});

setInterval(() => {
  if (document.visibilityState === "visible") lookAgain();
}, LOOK_AGAIN);

// what has expired is gone
setInterval(() => {
  for (const time of document.querySelectorAll(".item time[data-left]")) {
    if (new Date(time.dateTime) <= Date.now()) time.closest(".item").remove();
  }
}, 1000);
