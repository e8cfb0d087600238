// Uploads of a page: what is chosen goes into a queue, which survives lost networks and ended sessions.

import { takeChosen, takeFiles } from "./folders.js";
import { Queue } from "./queue.js";
import { QueueView } from "./queue_view.js";
import { inTurn } from "./parts.js";
import { persist } from "./retries.js";
import { askPassword } from "./sign_in.js";
import { files } from "./words.js";

const REST = 5; // times as long as a look at what has arrived takes: uploads get on faster without

const refused = document.getElementById("refused");

/** Say why something isn't sent; without words, nothing is wrong any more. */
export function refuse(words = "") {
  refused.textContent = words;
  refused.hidden = !words;
}

/**
 * Open the queue of the page's uploads, which become things of these `kinds`. `onDone(id, upload)` hears
 * of each that has been made; `verb` says what has happened to it then, unless the page does.
 * `onChange(queue)` hears of every change, `onSignedOut(queue)` that nobody is let in any more.
 */
export function openQueue(kinds, { verb, onDone, onChange, onSignedOut = signInAgain }) {
  const queue = new Queue([kinds].flat(), {
    onChange: () => {
      view.update();
      guard(queue.sending.size > 0);
      onChange?.(queue);
    },
    onDone: (upload, path) => {
      onDone(path.split("/").at(-1), upload);
      const { count } = queue.finished;
      if (verb && !queue.left) view.say(count === 1 ? `${upload.name} is ${verb}` : `${files(count)} are ${verb}`);
    },
    onFailed: (upload) => view.say(`${upload.name}: ${upload.words}`),
    onSignedOut: () => onSignedOut(queue),
  });
  const view = new QueueView(document.getElementById("uploads"), queue);

  document.addEventListener("leaving", (event) => {
    if (!queue.left && !insisting) return;
    event.preventDefault();
    if (event.detail.isSignedOut) onSignedOut(queue);
  });
  queue.recall();
  return queue;
}

async function signInAgain(queue) {
  const { isPaused } = queue;
  queue.pauseAll();
  if ((await askPassword()) && !isPaused) queue.resumeAll();
}

/** The page's fields for files: one for several, and one for a folder where the browser knows such. */
export function pickers() {
  const folder = document.getElementById("folder");
  document.getElementById("pick-folder").hidden = !("webkitdirectory" in folder);
  return [document.getElementById("picker"), folder];
}

/**
 * Take files from `pickers`, by dropping and by pasting. Those that were begun before go on;
 * `take(given, queue)` gets the others.
 */
export function takeInto(queue, pickers, take) {
  const offer = (given) => {
    refuse();
    const others = queue.goOn(given);
    if (others.length) take(others, queue);
  };
  for (const picker of pickers) takeChosen(picker, offer);
  takeFiles(document.body, offer, refuse);
}

/** Make of `show`, which asks for what has arrived, what may be called at each arrival. */
export function soon(show) {
  return inTurn(() => insist(show), REST);
}

let insisting = 0;

/**
 * Run what asks the API, again when the network is back, or the person has signed in again.
 * Resolves to undefined if they would rather not.
 */
export async function insist(run) {
  insisting += 1;
  try {
    return await persist(run);
  } catch (error) {
    if (error.status !== 401) throw error;
    return (await askPassword()) ? await insist(run) : undefined;
  } finally {
    insisting -= 1;
  }
}

let isGuarded = false;

/** Let the browser ask whether to leave, while something is being sent. */
function guard(isNeeded) {
  if (isNeeded === isGuarded) return;
  isGuarded = isNeeded;
  if (isNeeded) addEventListener("beforeunload", ask);
  else removeEventListener("beforeunload", ask);
}

function ask(event) {
  event.preventDefault();
}
