// The queue of a page's uploads: which go now, which wait, and how far they are in all.

import { Lost } from "./http.js";
import * as remembered from "./remembered.js";
import { look } from "./tus.js";
import { Upload } from "./upload.js";

const AT_ONCE = 3;
const SMALL_AT_ONCE = 6; // a round trip costs those more than their bytes; browsers make no more connections
const OVERHEAD = 16 * 1024; // bytes that each file weighs beside its own

export class Queue {
  // where an upload is; each set is in the order of its turns
  waiting = new Set();
  sending = new Set();
  paused = new Set();
  failed = new Set();
  unfinished = new Set(); // begun before this page was loaded: their files are to be chosen again

  isPaused = false; // none is begun
  finished = { count: 0, bytes: 0, weight: 0 }; // of this batch
  total = { count: 0, bytes: 0, weight: 0 };
  #stops = new Map(); // what aborts the uploads under way

  /**
   * `onChange` hears of every change of state, `onDone(upload, path)` of those that are there,
   * `onFailed(upload)` and `onSignedOut()` say themselves.
   */
  constructor(kinds, { onChange, onDone, onFailed, onSignedOut }) {
    Object.assign(this, { kinds, onChange, onDone, onFailed, onSignedOut });
    remembered.onChange(() => this.recall());
  }

  /** How many are to come. */
  get left() {
    return this.waiting.size + this.sending.size + this.paused.size;
  }

  /** Bytes that have been sent of this batch. */
  get sentBytes() {
    let sum = this.finished.bytes;
    for (const set of [this.sending, this.paused, this.waiting]) for (const { sent } of set) sum += sent;
    return sum;
  }

  /** What all waits for, if nothing moves: "network" or "server"; null if something does. */
  get isStuckBy() {
    const phases = [...this.sending].map(waitsFor);
    return phases.includes(null) || !phases.length ? null : phases[0];
  }

  /**
   * Add files, each `{ file, name, fields, kind, onEnd }`: it becomes the first kind of the queue unless
   * it has its own; `onEnd` is called when it is there or won't come.
   */
  add(files) {
    if (!this.left) this.#beginBatch();
    for (const { file, name, fields, kind = this.kinds[0], onEnd } of files) {
      const upload = new Upload(kind, file, name, fields);
      upload.onEnd = onEnd;
      this.#count(upload, 1);
      this.waiting.add(upload);
    }
    this.#fill();
  }

  /** Go on with those files that were begun before; returns the others. */
  goOn(files) {
    if (!this.unfinished.size) return files;
    const others = [];
    for (const given of files) {
      const begun = [...this.unfinished].find(({ file }) => isSame(file, given.file));
      if (begun) this.#revive(begun, given.file);
      else others.push(given);
    }
    this.#fill();
    return others;
  }

  pause(upload) {
    this.#move(upload, "paused");
    this.#fill();
  }

  resume(upload) {
    this.#move(upload, "waiting");
    if (this.#hasRoomFor(upload)) this.#start(upload);
    this.onChange();
  }

  pauseAll() {
    this.isPaused = true;
    for (const upload of [...this.sending]) this.#move(upload, "paused");
    this.onChange();
  }

  resumeAll() {
    this.isPaused = false;
    const all = [...this.paused, ...this.waiting];
    this.paused.clear();
    this.waiting = new Set(all);
    for (const upload of all) upload.state = "waiting";
    this.#fill();
  }

  /** Try one again that failed. */
  retry(upload) {
    this.#count(upload, 1);
    this.#move(upload, "waiting");
    this.#fill();
  }

  /** End an upload; the server forgets what it has of it. */
  cancel(upload) {
    if (upload.state !== "failed" && upload.state !== "unfinished") this.#count(upload, -1);
    this.#leave(upload);
    upload.state = "cancelled";
    this.#end(upload);
    upload.remove();
    this.#fill();
  }

  cancelAll() {
    this.isPaused = true;
    for (const set of [this.waiting, this.paused, this.sending, this.failed]) {
      for (const upload of [...set]) this.cancel(upload);
    }
    this.isPaused = false;
    this.onChange();
  }

  /** Let go of what the batch has left. */
  clear() {
    for (const upload of [...this.failed]) this.cancel(upload);
    this.#beginBatch();
    this.onChange();
  }

  /** Look for uploads that no page is sending any more. */
  async recall() {
    const entries = this.kinds.flatMap(remembered.unfinished);
    const paths = new Set(entries.map(({ path }) => path));
    for (const upload of this.unfinished) if (!paths.has(upload.path)) this.unfinished.delete(upload);
    const known = new Set([...this.unfinished].map(({ path }) => path));
    for (const { kind, file, name, fields, path } of entries) {
      if (known.has(path)) continue;
      const upload = new Upload(kind, file, name, fields, { path });
      upload.state = "unfinished";
      this.unfinished.add(upload);
      this.#ask(upload);
    }
    this.onChange();
  }

  async #ask(upload) {
    const { signal } = new AbortController();
    try {
      const { offset, made } = await look(upload.path, { signal });
      if (upload.state !== "unfinished") return; // it goes on meanwhile
      upload.offset = upload.sent = offset;
      if (made || (upload.isGift && offset === upload.size)) this.#drop(upload); // its last answer was lost
    } catch (error) {
      if (error.status === 404 || error.status === 410) this.#drop(upload);
    }
    this.onChange();
  }

  #drop(upload) {
    upload.forget();
    this.unfinished.delete(upload);
  }

  #revive(upload, file) {
    if (!this.left) this.#beginBatch();
    upload.file = file;
    remembered.claim(upload.kind, file);
    this.#count(upload, 1);
    this.#move(upload, "waiting");
  }

  #beginBatch() {
    this.finished = { count: 0, bytes: 0, weight: 0 };
    this.total = { count: 0, bytes: 0, weight: 0 };
    this.isPaused = false;
  }

  #count(upload, sign, sum = this.total) {
    sum.count += sign;
    sum.bytes += sign * upload.size;
    sum.weight += sign * (upload.size + OVERHEAD);
  }

  #hasRoomFor(upload) {
    return this.sending.size < (upload.isSmall ? SMALL_AT_ONCE : AT_ONCE);
  }

  #fill() {
    for (const upload of this.waiting) {
      if (this.isPaused || !this.#hasRoomFor(upload)) break;
      this.#start(upload);
    }
    this.onChange();
  }

  #end(upload) {
    upload.onEnd?.();
    upload.onEnd = null;
  }

  #leave(upload) {
    this.#stops.get(upload)?.abort();
    this.#stops.delete(upload);
    this[upload.state].delete(upload);
  }

  #move(upload, state) {
    this.#leave(upload);
    upload.state = state;
    this[state].add(upload);
  }

  async #start(upload) {
    this.#move(upload, "sending");
    const stop = new AbortController();
    this.#stops.set(upload, stop);
    const tell = (phase, retry = null) => {
      Object.assign(upload, { phase, retry });
      this.onChange();
    };
    let path;
    try {
      path = await upload.send(stop.signal, tell);
    } catch (error) {
      if (!stop.signal.aborted) this.#fail(upload, error);
      return;
    }
    if (upload.state === "cancelled") return;
    this.#leave(upload); // even if it was paused meanwhile: that was too late
    this.#count(upload, 1, this.finished);
    this.#end(upload);
    this.onDone(upload, path);
    this.#fill();
  }

  #fail(upload, error) {
    if (error.status === 401) {
      this.#move(upload, "paused");
      this.onSignedOut();
      return;
    }
    upload.words = error.message;
    this.#count(upload, -1);
    this.#move(upload, "failed");
    this.#end(upload);
    this.onFailed(upload);
    this.#fill();
  }
}

/** What an upload waits for: "network", "server", or null. */
export function waitsFor({ phase, retry }) {
  if (phase === "retrying") return retry.error instanceof Lost ? "network" : "server";
  return { stalled: "network", slow: "server" }[phase] ?? null;
}

/** Whether two files are one, as far as a browser tells; `one` may be what is remembered of it. */
export function isSame(one, other) {
  return one.name === other.name && one.size === other.size && one.lastModified === other.lastModified;
}
