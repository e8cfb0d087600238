// Requests to the API from a page: the session cookie says who asks, and a problem becomes an Error.

import complaints from "./complaints.js";

export const base = document.documentElement.dataset.base;
const LOGIN = "/account/login";

const MESSAGES = complaints.messages.map(([pattern, words]) => [new RegExp(pattern), words]);

/** What is wrong with a field: its name, the words for beside it, and those for anywhere else. */
function complaintOf({ loc, msg }) {
  const field = loc.findLast((part) => complaints.labels[part]);
  const words = inWords(msg);
  const beside = words[0].toUpperCase() + words.slice(1);
  return { field, beside, words: words !== msg && field ? `${complaints.labels[field]}: ${words}` : beside };
}

function inWords(text) {
  const [pattern, words] = MESSAGES.find(([each]) => each.test(text)) ?? [text, text];
  return text.replace(pattern, words);
}

export class Problem extends Error {
  constructor(status, body, retryAfter = null) {
    const fields = (body.errors ?? []).map(complaintOf);
    const words = fields.map((each) => each.words).join(". ");
    super(words || inWords(body.detail ?? `The server answered ${status}`));
    this.fields = fields;
    this.status = status;
    this.type = body.type;
    this.retryAfter = Number(retryAfter) * 1000 || 0; // ms
  }
}

/** There was no answer: the network is gone, or what it had was given up. */
export class Lost extends Error {
  constructor() {
    super("The server can't be reached");
  }
}

/** The URL of a path of the service, which may live below a prefix. */
export function url(path) {
  return base + path;
}

/** Ask the API; `body` is sent as JSON. Resolves to the answer's JSON, or null when it has none. */
export function ask(method, path, body) {
  if (body === undefined) return send(method, path);
  return send(method, path, JSON.stringify(body), { "Content-Type": "application/json" });
}

/** Send a body as it is; resolves like `ask`. */
export async function send(method, path, body, headers = {}) {
  const answer = await reach(url(path), { method, body, headers: { Accept: "application/json", ...headers } });
  const text = await answer.text();
  if (answer.ok) return text ? JSON.parse(text) : null;
  if (answer.status === 401 && path !== LOGIN) signedOut();
  throw problemOf(answer.status, text, answer.headers.get("Retry-After"));
}

/** Fetch; rejects with `Lost` where there is no answer. */
export async function reach(href, options) {
  try {
    return await fetch(href, options);
  } catch {
    throw new Lost();
  }
}

/** The problem of an answer that is none of success. */
export function problemOf(status, text, retryAfter) {
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    body = {}; // a proxy's page, say
  }
  return new Problem(status, body, retryAfter);
}

/** Begin a session; rejects with the problem of a wrong password, or of a code that is needed. */
export function signIn(username, password, otp) {
  return ask("POST", LOGIN, { username, password, otp });
}

/** Lead to the login. */
export function signedOut() {
  const here = location.pathname.slice(base.length) + location.search;
  leave(() => location.assign(url(`${LOGIN}?next=${encodeURIComponent(here)}`)), { isSignedOut: true });
}

/** Leave the page as `go` does, unless who listens to `leaving` would lose something by that. */
export function leave(go, { isSignedOut = false } = {}) {
  const event = new CustomEvent("leaving", { cancelable: true, detail: { isSignedOut } });
  if (document.dispatchEvent(event)) go();
}
