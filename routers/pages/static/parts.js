// Parts of a page, fetched anew: the server makes them, here they only take their places.

import { leave, reach, signedOut } from "./http.js";
import { merge } from "./merging.js";
import { tick } from "./page.js";
import { localise } from "./words.js";

const last = new Map();

/** Fetch a page as a document; undefined when it can't be shown, and this one is loaded again. */
export async function fetchPage(href) {
  const answer = await reach(href, { headers: { Accept: "text/html" } });
  if (answer.redirected) {
    signedOut();
    return undefined;
  }
  if (!answer.ok) {
    leave(() => location.reload()); // the server says what is wrong
    return undefined;
  }
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

/**
 * Replace the elements with these ids by those of the page as it is now; focus stays where it was. Of
 * lists, rows that differ are replaced: what was loaded beyond the first page stays.
 */
export function refresh(...ids) {
  return put(ids, merge);
}

/** The same for lists that are others now: none of their rows stays. */
export function renew(...ids) {
  return put(ids, () => false);
}

async function put(ids, merge) {
  const fresh = await fetchPage(location.href);
  if (!fresh) return;
  for (const id of ids) {
    const [old, part] = [document.getElementById(id), fresh.getElementById(id)];
    if (!old || !part || last.get(id) === part.outerHTML) continue;
    last.set(id, part.outerHTML);
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    localise(part);
    if (!merge(old, part)) old.replaceWith(document.adoptNode(part));
    if (focused) document.getElementById(focused)?.focus();
  }
  tick();
  document.dispatchEvent(new Event("refreshed"));
}

/**
 * Let the link with this id append the next page's children of a list, given by its id, instead of leading to it. With
 * `ahead`, it does so by itself when it is as near.
 */
export function growing(id, list, ahead = "") {
  const last = document.getElementById(id);
  if (ahead && last) {
    new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) last.click();
    }, { rootMargin: ahead }).observe(last);
  }
  document.addEventListener("click", async (event) => {
    const link = event.target.closest(`#${id}`);
    if (!link) return;
    event.preventDefault();
    if (link.ariaBusy === "true") return;
    link.ariaBusy = "true";
    try {
      await grow(link, list);
    } catch {
      location.assign(link.href); // the browser says what is wrong
    }
  });
}

async function grow(link, list) {
  const fresh = await fetchPage(link.href);
  if (!fresh) return;
  const [shown, more] = [document.getElementById(list), fresh.getElementById(list)];
  localise(more);
  const items = [...more.children];
  if (shown.matches(".items")) {
    more.removeAttribute("id"); // a list of its own, which a browser skips while it is out of sight
    link.closest("p").before(more);
  } else {
    shown.append(...items);
  }
  tick();
  if (document.activeElement === link) items[0]?.querySelector("a, button")?.focus();
  const next = fresh.getElementById(link.id);
  if (next) link.href = next.href;
  else link.remove();
  link.ariaBusy = "false";
}

/**
 * Make of `run` what may be called at any time: never twice at once, but again if asked meanwhile,
 * after a pause `rest` times as long as it took.
 */
export function inTurn(run, rest = 0) {
  let [isRunning, isWanted] = [false, false];
  return async () => {
    isWanted = true;
    if (isRunning) return;
    isRunning = true;
    try {
      while (isWanted) {
        isWanted = false;
        const begun = performance.now();
        await run();
        if (rest) await new Promise((resolve) => setTimeout(resolve, rest * (performance.now() - begun)));
      }
    } finally {
      isRunning = false;
    }
  };
}

const FIRST_LOOK = 700; // ms until the first look for what is pending; later looks are further apart
const LAST_LOOK = 30_000;

/** Make what looks for news by `update`, less and less often, as long as `isPending`; a call begins anew. */
export function looking(isPending, update) {
  let timer = null;
  return function look(after = FIRST_LOOK) {
    clearTimeout(timer);
    if (after > LAST_LOOK || !isPending()) return;
    timer = setTimeout(async () => {
      try {
        await update();
      } finally {
        look(after * 1.5);
      }
    }, after);
  };
}
