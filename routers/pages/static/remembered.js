// Unfinished uploads, which the browser remembers for the account until they end: a page that is
// loaded again has lost its files, so somebody has to choose them again.

import { base } from "./http.js";

const ALIVE = 5_000; // ms between two signs of life of the page that sends a file
const DEAD = 15_000; // ms after the last of them

const user = document.querySelector("[data-user]")?.dataset.user;
const prefix = `holdall-upload ${base} ${user} `;
const own = new Set(); // keys of what this page sends

/** What a file is recognised by. */
function keyOf(kind, { name, size, lastModified }) {
  return prefix + JSON.stringify([kind, name, size, lastModified]);
}

/** Remember an upload, unless one of the same file is remembered; `entry` has its `path`. */
export function keep(kind, file, entry) {
  const key = keyOf(kind, file);
  if (read(key)) return;
  own.add(key);
  write(key, { ...entry, kind, file: { name: file.name, size: file.size, lastModified: file.lastModified } });
}

/** Take over what is remembered of a file: this page goes on with it. */
export function claim(kind, file) {
  const key = keyOf(kind, file);
  const entry = read(key);
  own.add(key);
  if (entry) write(key, entry);
}

/** Forget the upload at `path`, if that is what is remembered of a file. */
export function forget(kind, file, path) {
  const key = keyOf(kind, file);
  if (read(key)?.path !== path) return;
  own.delete(key);
  localStorage.removeItem(key);
}

/** All uploads of a kind that no page is sending, each as it was kept. */
export function unfinished(kind) {
  return keys()
    .filter((key) => !own.has(key))
    .map(read)
    .filter((entry) => entry?.kind === kind && Date.now() - entry.seen > DEAD);
}

/** Forget all uploads of the account. */
export function forgetAll() {
  own.clear();
  for (const key of keys()) localStorage.removeItem(key);
}

/** Call back when another page of the service has remembered or forgotten something. */
export function onChange(call) {
  addEventListener("storage", (event) => {
    if (event.key?.startsWith(prefix)) call();
  });
}

function keys() {
  return Object.keys(localStorage).filter((key) => key.startsWith(prefix));
}

function read(key) {
  return JSON.parse(localStorage.getItem(key));
}

function write(key, entry, seen = Date.now()) {
  try {
    localStorage.setItem(key, JSON.stringify({ ...entry, seen }));
  } catch {
    own.delete(key); // there is no room: this upload goes on, but not after the page is gone
  }
}

function sign(seen) {
  for (const key of own) {
    const entry = read(key);
    if (entry) write(key, entry, seen);
    else own.delete(key); // forgotten by another page, at its logout
  }
}

setInterval(() => sign(Date.now()), ALIVE);
addEventListener("pagehide", () => sign(0));
