// Another try: what deserves one, and when.

import { Lost } from "./http.js";

const FIRST = 1_000; // ms
const LONGEST = 30_000;
const PASSING = new Set([408, 423, 425, 429]);

/** Whether what went wrong may go well another time, as it is. */
export function isPassing(error) {
  return error instanceof Lost || error.status >= 500 || PASSING.has(error.status);
}

/** Waits between tries: twice as long each time, at random so that not all come back at once. */
export class Backoff {
  #failures = 0;

  reset() {
    this.#failures = 0;
  }

  /** How long to wait after an error, in ms. */
  after(error) {
    const longest = Math.min(LONGEST, FIRST * 2 ** this.#failures);
    this.#failures += 1;
    return Math.max(error.retryAfter ?? 0, longest * (0.5 + Math.random() / 2));
  }
}

/** Wait; if for the network, then only until that is back. Rejects when `signal` aborts. */
export function pause(ms, error, signal) {
  return new Promise((resolve, reject) => {
    const end = (settle, value) => {
      clearTimeout(timer);
      removeEventListener("online", back);
      signal.removeEventListener("abort", abort);
      settle(value);
    };
    const back = () => end(resolve);
    const abort = () => end(reject, signal.reason);
    const timer = setTimeout(back, ms);
    if (error instanceof Lost) addEventListener("online", back);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
  });
}

/** Run what may fail until it goes well, or never will. */
export async function persist(run, signal = new AbortController().signal) {
  const backoff = new Backoff();
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (!isPassing(error)) throw error;
      await pause(backoff.after(error), error, signal);
    }
  }
}
