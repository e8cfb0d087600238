// Bundles of the page for sending: several files under one link, closed once all of them are here.

import { ask } from "./http.js";
import { insist } from "./uploads.js";
import { files } from "./words.js";

/** Whether files that are sent with these options get a link at all. */
export function haveLink({ expires_in, ...options }) {
  return expires_in !== "0" || Object.keys(options).length > 0;
}

/** Make a bundle of files that were chosen together; resolves to it and to what the queue takes. */
export async function makeBundle(given, options, evict) {
  const folder = commonFolder(given.map(({ path }) => path));
  const name = folder ? folder.slice(0, -1).slice(0, 200) : files(given.length);
  const place = evict ? { evict } : {};
  const bundle = await insist(() => ask("POST", "/v1/bundles", { name, ...options, ...place }));
  if (!bundle) return null;
  const uploads = given.map(({ file, path }) => {
    const inside = path.slice(folder.length);
    return { file, name: inside, fields: { name: inside, bundle: bundle.id } };
  });
  return { bundle, uploads };
}

/** The folder that all paths start with, and its slash; empty if there is none. */
export function commonFolder(paths) {
  const [folder] = paths[0].split("/", 1);
  return paths.every((path) => path.startsWith(`${folder}/`)) ? `${folder}/` : "";
}

/** Closes bundles when nothing of them is left in a queue; `onClosed` hears of that. */
export class Closer {
  #open = new Set(); // ids

  constructor(onClosed) {
    this.onClosed = onClosed;
  }

  watch(id) {
    this.#open.add(id);
  }

  check({ waiting, sending, paused, failed, unfinished }) {
    if (!this.#open.size) return;
    const left = new Set();
    for (const some of [waiting, sending, paused, failed, unfinished]) {
      for (const { fields } of some) left.add(fields.bundle);
    }
    for (const id of this.#open) if (!left.has(id)) this.#close(id);
  }

  async #close(id) {
    this.#open.delete(id);
    const path = `/v1/bundles/${id}`;
    try {
      const closed = await insist(() => ask("PATCH", path, { is_open: false }));
      if (closed && !closed.count) await insist(() => ask("DELETE", path)); // all were cancelled
    } catch (error) {
      if (error.status !== 404) throw error; // it was deleted, or has expired
    }
    this.onClosed();
  }
}
