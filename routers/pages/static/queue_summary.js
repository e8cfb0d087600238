// The line for all uploads of a queue: how many are there, how fast, how long it takes.

import { Pace } from "./pace.js";
import { duration, files, size } from "./words.js";

export class QueueSummary {
  #bytes = new Pace();
  #weights = new Pace();

  constructor(element, queue) {
    Object.assign(this, { element, queue });
    const part = (name) => element.querySelector(`[data-part="${name}"]`);
    Object.assign(this, { title: part("title"), bar: part("bar"), numbers: part("numbers") });
    this.buttons = [...element.querySelectorAll("button")];
  }

  /** Whether there is more to say than rows do. */
  get isWorthIt() {
    const { total, failed, isPaused, left } = this.queue;
    return total.count > 1 || failed.size > 1 || (isPaused && left > 0);
  }

  update() {
    const { total, finished, left, sentBytes } = this.queue;
    const weight = finished.weight - finished.bytes + sentBytes;
    this.#bytes.note(sentBytes);
    this.#weights.note(weight);
    this.element.hidden = !this.isWorthIt;
    this.title.textContent = left ? `${finished.count} of ${files(total.count)}` : `${files(finished.count)} done`;
    this.bar.hidden = !left;
    this.bar.max = total.weight || 1;
    this.bar.value = weight;
    this.numbers.textContent = left ? this.#numbers(total.weight - weight) : size(finished.bytes);
    this.#offer();
  }

  #numbers(weightLeft) {
    const { total, sentBytes, isStuckBy, sending, failed } = this.queue;
    const speed = this.#weights.speed; // a small file takes time, too
    const words = [`${size(sentBytes)} of ${size(total.bytes)}`];
    if (!sending.size) words.push("paused");
    else if (isStuckBy) words.push(`waiting for the ${isStuckBy}`);
    else if (speed > 0) words.push(`${size(this.#bytes.speed)}/s`, `${duration(weightLeft / speed)} left`);
    if (failed.size) words.push(`${failed.size} failed`);
    return words.join(", ");
  }

  #offer() {
    const { waiting, sending, paused, failed, left, isPaused } = this.queue;
    const offers = {
      pause: !isPaused && waiting.size + sending.size > 0,
      resume: paused.size > 0 || (isPaused && waiting.size > 0),
      cancel: left > 0,
      retry: failed.size > 1,
      clear: !left,
    };
    for (const button of this.buttons) button.hidden = !offers[button.dataset.act];
  }
}
