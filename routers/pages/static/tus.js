// Resumable uploads by tus 1.0 (tus.io), one request at a time; docs/uploads.md says what the server answers.

import { Lost, problemOf, url } from "./http.js";

const QUIET = 5_000; // ms in which nothing moves until that is told
const SILENT = 15_000; // ms until a request is given up that doesn't get on
const ANSWER = 60_000; // ms until one is given up that has been sent: the server may have to store much

/**
 * Create an upload of `length` bytes at `place`, with `body` if that is all of them. Resolves to its
 * `path`, and to what was `made` of it once it is complete.
 */
export async function create(place, length, metadata, body, watch) {
  const pairs = Object.entries(metadata).map(([key, value]) => `${key} ${base64(value)}`);
  const headers = { "Upload-Length": length, "Upload-Metadata": pairs.join(",") };
  const answer = await request("POST", url(place), headers, body, watch);
  return { path: new URL(answer.header("Location"), location.href).pathname, made: answer.made };
}

/** Ask how far an upload is; nobody else appends to it from then on. */
export async function look(path, watch) {
  return stateOf(await request("HEAD", path, {}, undefined, watch));
}

/** Append bytes at `offset`. */
export async function append(path, offset, body, watch) {
  return stateOf(await request("PATCH", path, { "Upload-Offset": offset }, body, watch));
}

/** Delete an upload; what has been made of a complete one stays. */
export async function remove(path, watch) {
  await request("DELETE", path, {}, undefined, watch);
}

function stateOf(answer) {
  return { offset: Number(answer.header("Upload-Offset")), made: answer.made };
}

function base64(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

/**
 * Send a request. `watch.onSent(bytes)` hears how much of the body has gone, `watch.onQuiet()` that
 * nothing moves. Rejects with `Lost`, a `Problem`, or an AbortError by `watch.signal`. It isn't
 * `fetch`, which can't tell how much has gone.
 */
function request(method, path, headers, body, { signal, onSent, onQuiet }) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const timers = [];
    const watchFor = (patience) => {
      timers.splice(0).forEach(clearTimeout);
      if (onQuiet) timers.push(setTimeout(onQuiet, QUIET));
      timers.push(setTimeout(() => xhr.abort(), patience));
    };
    const cancel = () => xhr.abort();
    const end = (settle, value) => {
      timers.splice(0).forEach(clearTimeout);
      signal.removeEventListener("abort", cancel);
      settle(value);
    };
    const lose = () => end(reject, signal.aborted ? signal.reason : new Lost());
    xhr.open(method, path);
    xhr.setRequestHeader("Accept", "application/json");
    xhr.setRequestHeader("Tus-Resumable", "1.0.0");
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    if (body) xhr.setRequestHeader("Content-Type", "application/offset+octet-stream");
    xhr.upload.onprogress = ({ loaded }) => {
      watchFor(SILENT);
      onSent?.(loaded);
    };
    xhr.upload.onload = () => {
      watchFor(ANSWER);
      onSent?.(body.size);
    };
    xhr.onload = () => {
      if (xhr.status < 400) end(resolve, answerOf(xhr));
      else end(reject, problemOf(xhr.status, xhr.responseText, xhr.getResponseHeader("Retry-After")));
    };
    xhr.onerror = xhr.onabort = lose;
    signal.throwIfAborted();
    signal.addEventListener("abort", cancel);
    watchFor(SILENT);
    xhr.send(body);
  });
}

function answerOf(xhr) {
  return { header: (name) => xhr.getResponseHeader(name), made: xhr.getResponseHeader("Content-Location") };
}
