// One file on its way: created, sent in pieces, and gone on with after whatever interrupts it.

import { Lost, problemOf, reach, url } from "./http.js";
import * as remembered from "./remembered.js";
import { Backoff, isPassing, pause, persist } from "./retries.js";
import * as tus from "./tus.js";

const PIECE = 64 * 1024 * 1024; // bytes of a request: proxies don't let any size pass
const SMALL = 256 * 1024; // bytes that go with the request which creates the upload
const CONFLICTS = 3; // tries that get a 409 and nowhere, until it is told
const LISTS = { file: ["/v1/files", "name"], dump: ["/v1/dumps", "original_name"], picture: ["/v1/pictures", "name"] };

const made = new Set(); // ids of what small files have become

export class Upload {
  #sure = false; // whether `offset` is what the server has
  #tried = null; // when a small file was first sent
  #conflicts = 0;
  #backoff = new Backoff();

  /** `kind` is what it becomes, or the path of an inbox; `fields` say more of that; `path` and `offset` are of one that has been begun. */
  constructor(kind, file, name, fields, { path = null, offset = 0 } = {}) {
    Object.assign(this, { kind, file, name, fields, path, offset });
    this.sent = offset;
    this.size = file.size;
    // an inbox can't be asked whether something has come: what goes there is always gone on with
    this.isGift = kind.startsWith("/");
    this.isSmall = this.size <= SMALL && !this.isGift;
    this.state = "waiting";
    this.words = ""; // what is wrong
  }

  /**
   * Send what is left, however often that takes. Resolves to the path of what has been made;
   * rejects with the `Problem` that ends it, and with an AbortError when `signal` aborts. `tell`
   * is called with each state.
   */
  async send(signal, tell) {
    const watch = {
      signal,
      onSent: (bytes) => {
        this.sent = this.offset + bytes;
        tell(this.sent < this.size ? "sending" : "storing");
      },
      onQuiet: () => tell(this.sent < this.size ? "stalled" : "slow"),
    };
    for (;;) {
      try {
        tell("sending");
        const path = await this.#goOn(watch);
        if (path !== null) return path;
      } catch (error) {
        if (!this.path) this.sent = 0; // of what has a path, what went is kept
        this.#sure = false;
        await this.#consider(error);
        if (error.status === 409 && this.#conflicts === 1) continue; // it goes on elsewhere
        const ms = this.#backoff.after(error);
        tell("retrying", { error, until: Date.now() + ms });
        await pause(ms, error, signal);
      }
    }
  }

  /** Delete what the server has of it. */
  async remove() {
    const { path } = this;
    if (!path) return;
    const { signal } = new AbortController();
    await persist(() => tus.remove(path, { signal })).catch(() => {}); // what can't be deleted expires
    this.forget();
  }

  forget() {
    if (this.path) remembered.forget(this.kind, this.file, this.path);
    this.path = null;
    this.offset = this.sent = 0;
  }

  /** Do the next request; resolves to the path of what has been made, or null. */
  async #goOn(watch) {
    if (!this.path) return this.isSmall ? this.#sendWhole(watch) : this.#create(watch);
    if (!this.#sure) return this.#take(await tus.look(this.path, { ...watch, onSent: null }));
    const piece = this.file.slice(this.offset, this.offset + PIECE);
    return this.#take(await tus.append(this.path, this.offset, piece, watch));
  }

  async #create(watch) {
    const { path } = await tus.create(this.#place, this.size, this.#metadata(), undefined, watch);
    const { name, fields } = this;
    // a browser keeps no password: after this page, such an upload can't be gone on with
    if (!fields.password) remembered.keep(this.kind, this.file, { path, name, fields });
    this.path = path;
    this.#sure = true;
    return null;
  }

  #take({ offset, made }) {
    if (offset > this.offset) {
      this.#conflicts = 0;
      this.#backoff.reset();
    }
    this.offset = this.sent = offset;
    this.#sure = true;
    const become = this.isGift && offset === this.size ? this.path : made;
    if (become) this.forget();
    return become;
  }

  async #sendWhole(watch) {
    const found = this.#tried === null ? null : await this.#find();
    this.#tried ??= performance.now();
    const path = found ?? (await tus.create(this.#place, this.size, this.#metadata(), this.file, watch)).made;
    made.add(path.split("/").at(-1));
    return path;
  }

  /** Look whether an earlier try has made it, of which nothing was heard: sent again it would be there twice. */
  async #find() {
    const { bundle } = this.fields;
    if (!bundle && !(this.kind in LISTS)) return null; // there is but one
    const [list, name] = bundle ? [`/v1/bundles/${bundle}/items`, "name"] : LISTS[this.kind];
    const query = bundle ? `name=${encodeURIComponent(this.fields.name)}` : "limit=100";
    const { items, now } = await newest(`${list}?${query}`);
    const since = now - (performance.now() - this.#tried) - 2000; // a clock of seconds
    const found = items.find(
      (item) =>
        item[name] === this.fields.name && item.size === this.size &&
        new Date(item.created_at) >= since && !made.has(item.id),
    );
    return found ? `${list}/${found.id}` : null;
  }

  get #place() {
    return this.isGift ? `${this.kind}/uploads` : "/v1/uploads";
  }

  #metadata() {
    const kind = this.isGift ? {} : { kind: this.kind };
    return { ...kind, filetype: this.file.type, ...this.fields };
  }

  /** Throw an error that ends it; prepare for another try after any other. */
  async #consider(error) {
    if (error.name === "AbortError") throw error;
    if (error instanceof Lost) await this.#read();
    if (isPassing(error)) return;
    const isOver = error.status === 404 || error.status === 410;
    if (this.path && isOver) return this.forget(); // begin anew
    if (this.path && error.status === 409 && this.#conflicts++ < CONFLICTS) return;
    throw error;
  }

  /** See whether the file can be read: a browser tells of one that was changed as of a lost connection. */
  async #read() {
    try {
      await this.file.slice(this.offset, this.offset + 1).arrayBuffer();
    } catch {
      throw new Error("It has been changed or removed since it was chosen. Choose it again.");
    }
  }
}

/** The newest things of a list, and the server's time in ms. */
async function newest(list) {
  const answer = await reach(url(list), { headers: { Accept: "application/json" } });
  const text = await answer.text();
  if (!answer.ok) throw problemOf(answer.status, text, answer.headers.get("Retry-After"));
  return { items: JSON.parse(text).items, now: new Date(answer.headers.get("Date")).getTime() };
}
