// How fast something gets on, by the last few seconds of it.

const WINDOW = 8_000; // ms
const STEP = 400; // ms between two notes

export class Pace {
  #notes = [];

  /** Note how far it is now. */
  note(value, now = performance.now()) {
    const last = this.#notes.at(-1);
    if (last && value < last.value) this.#notes = []; // it begins anew
    else if (last && now - last.now < STEP) return;
    this.#notes.push({ value, now });
    while (now - this.#notes[0].now > WINDOW) this.#notes.shift();
  }

  /** Units a second; 0 while nobody knows. */
  get speed() {
    if (this.#notes.length < 2) return 0;
    const [first, last] = [this.#notes[0], this.#notes.at(-1)];
    return ((last.value - first.value) * 1000) / (last.now - first.now);
  }
}
