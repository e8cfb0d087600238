// Selecting pictures of a grid: by their checks, a range with shift, a long press; Escape ends it.

const LONG = 500; // ms of a press
const STILL = 10; // px that a finger may move meanwhile

export class Selection {
  #last = null; // the check that was set before
  #onChange;

  /** `onChange(tiles)` hears of those that are selected. */
  constructor(grid, onChange) {
    this.grid = grid;
    this.#onChange = onChange;
    grid.addEventListener("click", (event) => this.#onClick(event), true); // before what opens a picture
    grid.addEventListener("pointerdown", (event) => this.#onPress(event));
    grid.addEventListener("change", () => this.update());
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Escape" && !document.querySelector("dialog[open]")) this.clear();
    });
    this.update();
  }

  get tiles() {
    return [...this.grid.querySelectorAll(".tile:has(:checked)")];
  }

  clear() {
    for (const check of this.grid.querySelectorAll(":checked")) check.checked = false;
    this.update();
  }

  update() {
    this.grid.classList.toggle("selecting", this.grid.querySelector(":checked") !== null);
    this.#onChange(this.tiles);
  }

  #onClick(event) {
    const tile = event.target.closest(".tile");
    const check = tile?.querySelector("input");
    if (!check) return;
    if (event.target !== check) {
      const isMeant = this.grid.classList.contains("selecting") || event.ctrlKey || event.metaKey || event.shiftKey;
      if (!isMeant) return;
      event.preventDefault();
      check.checked = !check.checked;
    }
    if (event.shiftKey) this.#fill(check);
    this.#last = check;
    this.update();
  }

  /** Let all from the check that was set before up to this one be as this one is. */
  #fill(check) {
    const checks = [...this.grid.querySelectorAll(".tile input")];
    const ends = [checks.indexOf(this.#last), checks.indexOf(check)].sort((one, other) => one - other);
    if (ends[0] < 0) return;
    for (const one of checks.slice(ends[0], ends[1] + 1)) one.checked = check.checked;
  }

  #onPress(event) {
    const check = event.target.closest(".tile")?.querySelector("input");
    if (!check || event.pointerType === "mouse" || this.grid.classList.contains("selecting")) return;
    const still = new AbortController();
    const end = () => {
      clearTimeout(timer);
      still.abort();
    };
    const timer = setTimeout(() => {
      check.checked = true;
      this.#last = check;
      this.update();
      still.abort();
      // the finger that goes up must not open the picture, nor deselect it
      const swallow = new AbortController();
      const stop = (click) => {
        click.preventDefault();
        click.stopPropagation();
        swallow.abort();
      };
      addEventListener("click", stop, { capture: true, signal: swallow.signal });
      addEventListener("pointerdown", () => swallow.abort(), { capture: true, signal: swallow.signal });
    }, LONG);
    const { signal } = still;
    for (const type of ["pointerup", "pointercancel"]) addEventListener(type, end, { signal });
    addEventListener("pointermove", (move) => {
      if (Math.hypot(move.clientX - event.clientX, move.clientY - event.clientY) > STILL) end();
    }, { signal });
    this.grid.addEventListener("contextmenu", (menu) => menu.preventDefault(), { once: true, signal });
  }
}
