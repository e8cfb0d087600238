// The row of one upload: its progress, what it waits for, and what can be done with it.

import { Pace } from "./pace.js";
import { waitsFor } from "./queue.js";
import { duration, size } from "./words.js";

export class UploadRow {
  #pace = new Pace();

  constructor(upload) {
    this.upload = upload;
    this.element = document.getElementById("upload-row").content.cloneNode(true).firstElementChild;
    this.bar = this.element.querySelector("progress");
    this.words = this.element.querySelector(".state");
    this.buttons = [...this.element.querySelectorAll("button")];
    this.element.querySelector(".name").textContent = upload.name;
    this.bar.setAttribute("aria-label", `Progress of ${upload.name}`);
    for (const button of this.buttons) button.setAttribute("aria-label", `${button.textContent} ${upload.name}`);
  }

  /** Show its state; `isHeld`: the whole queue is paused. */
  update(isHeld) {
    const { state, sent, size: whole } = this.upload;
    this.#pace.note(sent);
    this.bar.hidden = state === "failed" || (state === "waiting" && !sent);
    this.bar.max = whole || 1;
    this.bar.value = sent;
    const words = this.#state(isHeld);
    if (this.words.textContent !== words) this.words.textContent = words;
    this.words.classList.toggle("error", state === "failed" || this.upload.isOther === true);
    const isHeldBack = state === "paused" || (state === "waiting" && isHeld);
    const offers = {
      pause: !isHeldBack && (state === "waiting" || state === "sending"),
      resume: isHeldBack,
      retry: state === "failed",
      choose: state === "unfinished",
      cancel: true,
    };
    for (const button of this.buttons) button.hidden = !offers[button.dataset.act];
  }

  /** Give the focus to the button of an act, or to another if that isn't offered. */
  focus(act) {
    const offered = this.buttons.filter((button) => !button.hidden);
    (offered.find((button) => button.dataset.act === act) ?? offered[0]).focus();
  }

  #state(isHeld) {
    const { state, name, sent, size: whole, words, isOther } = this.upload;
    const part = `${size(sent)} of ${size(whole)}`;
    if (state === "failed") return words;
    if (state === "paused" || (state === "waiting" && isHeld)) return `Paused, ${part}`;
    if (state === "waiting") return sent ? `Waiting, ${part}` : "Waiting";
    if (state === "unfinished") {
      const which = isOther ? "That is another file, or it has been changed. Choose" : "Unfinished: choose";
      return `${which} ${name} again to continue (${part} ${sent === 1 ? "has" : "have"} arrived)`;
    }
    return this.#sending(part);
  }

  #sending(part) {
    const { sent, size: whole, phase, retry } = this.upload;
    const other = waitsFor(this.upload);
    if (phase === "retrying") {
      const why = other === "network" ? "Waiting for the network" : retry.error.message;
      return `${why}. Trying again in ${duration((retry.until - Date.now()) / 1000)}`;
    }
    if (other) return `Waiting for the ${other}, ${part}`;
    if (phase === "storing") return "Storing";
    const { speed } = this.#pace;
    return speed > 0 ? `${part}, ${size(speed)}/s, ${duration((whole - sent) / speed)} left` : part;
  }
}
