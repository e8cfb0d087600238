// Requests to the API from a page: the session cookie says who asks, and a problem becomes an Error.

const base = document.documentElement.dataset.base;

export class Problem extends Error {
  constructor(status, body) {
    const fields = (body.errors ?? []).map((error) => `${error.loc.at(-1)}: ${error.msg}`);
    super(fields.length ? fields.join("; ") : (body.detail ?? `The server answered ${status}`));
    this.status = status;
  }
}

/** The URL of a path of the service, which may live below a prefix. */
export function url(path) {
  return base + path;
}

/** Ask the API; `body` is sent as JSON. Resolves to the answer's JSON, or null when it has none. */
export async function ask(method, path, body) {
  const options = { method, headers: { Accept: "application/json" } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(url(path), options);
  } catch {
    throw new Error("The server can't be reached");
  }
  return read(answer.status, await answer.text());
}

/**
 * Send a body and tell how far it is: `onProgress(sent, total)` in bytes. Resolves like `ask`;
 * aborting `signal` rejects with an AbortError. `fetch` can't report progress, so this is the older way.
 */
export function upload(method, path, body, { headers = {}, onProgress, signal } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url(path));
    request.setRequestHeader("Accept", "application/json");
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => onProgress?.(event.loaded, event.total));
    request.addEventListener("load", () => {
      try {
        resolve(read(request.status, request.responseText));
      } catch (error) {
        reject(error);
      }
    });
    request.addEventListener("error", () => reject(new Error("The connection broke off")));
    request.addEventListener("abort", () => reject(new DOMException("Cancelled", "AbortError")));
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    if (signal?.aborted) reject(new DOMException("Cancelled", "AbortError"));
    else request.send(body);
  });
}

function read(status, text) {
  if (status === 401) {
    const here = location.pathname.slice(base.length) + location.search;
    location.assign(url(`/account/login?next=${encodeURIComponent(here)}`));
  }
  let body = null;
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    body = { detail: text };
  }
  if (status >= 400) throw new Problem(status, body ?? {});
  return body;
}
