// The mark in the bar: how many files have come by inboxes since somebody looked, as they come.

import { url } from "./http.js";

const place = document.querySelector(".places [data-unseen]");

let source = null;
let seen = null; // files that have come

function listen() {
  source?.close();
  source = new EventSource(url("/v1/inboxes/events"));
  source.addEventListener("current", show);
  source.addEventListener("changed", show);
}

function show({ data }) {
  const { files, unseen } = JSON.parse(data);
  const isNew = seen !== null && files > seen;
  seen = files;
  mark(unseen);
  // a page that shows what comes does so now, and that counts as looked at
  if (isNew) document.dispatchEvent(new CustomEvent("arrived"));
}

function mark(unseen) {
  place.querySelector(".mark")?.remove();
  if (!unseen || place.ariaCurrent === "page") return;
  const badge = Object.assign(document.createElement("span"), { className: "mark", textContent: unseen < 100 ? unseen : "99+" });
  badge.append(Object.assign(document.createElement("span"), { className: "visually-hidden", textContent: " new" }));
  place.append(" ", badge);
}

// a page that nobody sees holds no connection: a browser has few for each server
function listenIfSeen() {
  if (document.visibilityState === "visible") listen();
  else source?.close();
}

if (place) {
  document.addEventListener("visibilitychange", listenIfSeen);
  listenIfSeen();
}
