// A queue of uploads as a page shows it: a line for all, and rows for those that are worth one.

import { isSame } from "./queue.js";
import { QueueSummary } from "./queue_summary.js";
import { UploadRow } from "./upload_row.js";

const OFTEN = 250; // ms between two looks at the queue
const SHORT = 1_000; // ms: a small file that takes less gets no row
const FEW = 8; // that wait have rows; if there are more, only when they are asked for
const MOST = 30; // rows of those in one state

export class QueueView {
  #rows = new Map(); // by upload
  #isDue = false;
  #showsWaiting = false;
  #stuckBy = null;
  #wanted = null; // the upload whose file is being chosen again

  /** Show a queue in `section`, which uploads.html makes. */
  constructor(section, queue) {
    Object.assign(this, { section, queue });
    this.summary = new QueueSummary(this.#part("summary"), queue);
    this.list = section.querySelector("ul");
    this.rest = this.#part("rest");
    this.picker = this.#part("again");
    this.summary.element.addEventListener("click", ({ target }) => this.#actOnAll(target));
    this.list.addEventListener("click", ({ target }) => this.#actOnOne(target));
    this.picker.addEventListener("change", () => this.#choose());
    this.rest.addEventListener("click", () => {
      this.#showsWaiting = !this.#showsWaiting;
      this.#render();
    });
  }

  /** Show the queue as it is, soon. */
  update() {
    if (this.#isDue) return;
    this.#isDue = true;
    setTimeout(() => {
      this.#isDue = false;
      this.#render();
      if (this.queue.sending.size) this.update(); // times and speeds run on
    }, OFTEN);
  }

  /** Tell those who can't see it. */
  say(text) {
    document.getElementById("said").textContent = text;
  }

  #part(name) {
    return this.section.querySelector(`[data-part="${name}"]`);
  }

  #render() {
    const { waiting, isStuckBy } = this.queue;
    const shown = this.#worthARow();
    this.section.hidden = !shown.length && !this.summary.isWorthIt;
    this.summary.update();
    this.rest.hidden = waiting.size <= FEW;
    this.rest.ariaExpanded = String(this.#showsWaiting);
    this.rest.textContent = this.#showsWaiting ? "Hide those that wait" : `Show the ${waiting.size} that wait`;
    this.#renderRows(shown);
    if (isStuckBy !== this.#stuckBy) this.say(isStuckBy ? `Waiting for the ${isStuckBy}` : "Resuming");
    this.#stuckBy = isStuckBy;
  }

  #worthARow() {
    const { waiting, sending, paused, failed, unfinished } = this.queue;
    return [
      ...[...sending].filter((upload) => !upload.isSmall || isSlow(upload)),
      ...first(failed),
      ...first(unfinished),
      ...first(paused),
      ...(this.#showsWaiting || waiting.size <= FEW ? first(waiting) : []),
    ];
  }

  #renderRows(uploads) {
    const kept = new Set(uploads);
    const focused = this.#rowOf(document.activeElement);
    const { act } = document.activeElement.dataset;
    const rows = [...this.#rows.values()];
    const heir = rows[rows.indexOf(focused) + 1] ?? rows[rows.indexOf(focused) - 1];
    for (const [upload, { element }] of this.#rows) {
      if (kept.has(upload)) continue;
      element.remove();
      this.#rows.delete(upload);
    }
    let place = this.list.firstElementChild;
    for (const upload of uploads) {
      if (!this.#rows.has(upload)) this.#rows.set(upload, new UploadRow(upload));
      const row = this.#rows.get(upload);
      if (row.element === place) place = place.nextElementSibling;
      else this.list.insertBefore(row.element, place);
      row.update(this.queue.isPaused);
    }
    const active = document.activeElement;
    if (!focused || (active !== document.body && active.checkVisibility())) return;
    if (focused.element.isConnected) focused.focus(act); // its button has given way to another
    else if (heir?.element.isConnected) heir.focus(act);
    else this.section.focus();
  }

  #rowOf(element) {
    return [...this.#rows.values()].find((row) => row.element.contains(element));
  }

  #actOnAll({ dataset: { act } }) {
    const { queue } = this;
    if (act === "pause") queue.pauseAll();
    if (act === "resume") queue.resumeAll();
    if (act === "retry") for (const upload of [...queue.failed]) queue.retry(upload);
    if (act === "cancel" && confirm("Cancel all that are not finished?")) queue.cancelAll();
    if (act === "clear") queue.clear();
  }

  #actOnOne(button) {
    const { upload } = this.#rowOf(button);
    const { act } = button.dataset;
    if (act === "choose") {
      this.#wanted = upload;
      this.picker.click();
    } else if (act && this.queue[upload.state].has(upload)) {
      // else it has just arrived, and its row is about to go
      this.queue[act](upload);
      if (act === "cancel") this.say(`${upload.name} is cancelled`);
      this.#render();
    }
  }

  #choose() {
    const [file] = this.picker.files;
    if (!file) return;
    this.#wanted.isOther = !isSame(this.#wanted.file, file);
    if (!this.#wanted.isOther) this.queue.goOn([{ file }]);
    this.picker.value = "";
    this.update();
  }
}

/** Whether a small file has been under way for long enough to be seen. */
function isSlow(upload) {
  upload.since ??= performance.now();
  return performance.now() - upload.since > SHORT;
}

function first(set) {
  return [...set].slice(0, MOST);
}
