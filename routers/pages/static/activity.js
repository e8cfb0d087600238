// The page of activity: what happens is shown as it happens.

import { url } from "./http.js";
import { inTurn, refresh } from "./parts.js";

const update = inTurn(() => refresh("list"));
let source = null;

function listen() {
  source?.close();
  source = null;
  if (document.visibilityState !== "visible" || new URLSearchParams(location.search).has("cursor")) return;
  source = new EventSource(url("/v1/events/stream"));
  source.onopen = show; // what happened while nobody listened
  source.onmessage = show;
}

function show() {
  update().catch(() => {}); // next time
}

document.addEventListener("visibilitychange", listen);
listen();
