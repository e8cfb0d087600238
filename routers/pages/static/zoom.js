// Zooming: a picture fits its stage, grows by wheel, fingers, double taps and keys, and can be moved then.

const KEY = 1.4; // times larger by a key
const TAP = 2.5; // by a double tap, unless the picture's own size is more
const FINE = 4; // CSS pixels that a pixel of an original may take
const SWIPE = 60; // px
const STILL = 8; // px that a tap may move
const TWICE = 350; // ms between the taps of a double one

export class Zoom {
  #size = [0, 0]; // of the picture, in its own pixels
  #most = 1;
  #fit = 1;
  #scale = 1; // times what fits
  #at = [0, 0]; // of the picture's middle, from the stage's
  #fingers = new Map();
  #start = null; // where a single finger or the mouse was put down
  #isMouse = false; // what was pressed last
  #tapped = { at: [0, 0], time: 0 };

  /** `onSwipe(1)` hears of a swipe to the next picture, `onSwipe(-1)` of one to the previous. */
  constructor(stage, image, onSwipe) {
    this.stage = stage;
    this.image = image;
    this.onSwipe = onSwipe;
    new ResizeObserver(() => this.#layOut()).observe(stage);
    stage.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
    stage.addEventListener("pointerdown", (event) => this.#onDown(event));
    stage.addEventListener("pointermove", (event) => this.#onMove(event));
    stage.addEventListener("dblclick", (event) => this.#onDouble(event));
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => this.#onUp(event));
  }

  /** Take another picture; only an original is ever shown larger than it is. */
  take(width, height, isOriginal) {
    this.#size = [width, height];
    this.#most = isOriginal ? FINE : 1;
    this.#layOut();
  }

  get isZoomed() {
    return this.#scale > 1.01;
  }

  /** Zoom in or out by a key; false for a key that doesn't. */
  press(key) {
    if (key === "+" || key === "=") this.#zoom(KEY);
    else if (key === "-") this.#zoom(1 / KEY);
    else if (key === "0") this.#layOut();
    else return false;
    return true;
  }

  #layOut() {
    const [width, height] = this.#size;
    const { clientWidth, clientHeight } = this.stage;
    if (!width || !clientWidth) return;
    this.#fit = Math.min(1, clientWidth / width, clientHeight / height);
    this.image.style.width = `${width * this.#fit}px`;
    this.image.style.height = `${height * this.#fit}px`;
    this.#scale = 1;
    this.#at = [0, 0];
    this.#draw();
  }

  #draw() {
    const { clientWidth, clientHeight } = this.stage;
    const scale = this.#fit * this.#scale;
    const free = [this.#size[0] * scale - clientWidth, this.#size[1] * scale - clientHeight];
    this.#at = this.#at.map((at, axis) => {
      const most = Math.max(0, free[axis] / 2);
      return Math.min(most, Math.max(-most, at));
    });
    this.#move(this.#at, this.#scale);
    this.stage.classList.toggle("zoomed", this.isZoomed);
  }

  #move([x, y], scale) {
    this.image.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
  }

  /** Zoom by a factor; what is at a point, from the stage's middle, stays there. */
  #zoom(factor, point = [0, 0]) {
    const scale = Math.min(Math.max(1, this.#most / this.#fit), Math.max(1, this.#scale * factor));
    const done = scale / this.#scale;
    this.#at = this.#at.map((at, axis) => point[axis] - (point[axis] - at) * done);
    this.#scale = scale;
    this.#draw();
  }

  #pointOf({ clientX, clientY }) {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    return [clientX - left - width / 2, clientY - top - height / 2];
  }

  #onWheel(event) {
    event.preventDefault();
    const speed = event.ctrlKey ? 0.01 : 0.002; // a trackpad's pinch comes as small turns with Ctrl
    this.#zoom(Math.exp(-event.deltaY * speed), this.#pointOf(event));
  }

  #onDown(event) {
    if (event.button || event.target.closest("button, a")) return;
    this.stage.setPointerCapture(event.pointerId);
    const point = this.#pointOf(event);
    this.#fingers.set(event.pointerId, point);
    this.#start = this.#fingers.size === 1 ? point : null;
  }

  #onMove(event) {
    const before = this.#fingers.get(event.pointerId);
    if (!before) return;
    const point = this.#pointOf(event);
    this.#fingers.set(event.pointerId, point);
    if (this.#fingers.size === 2) this.#pinch(event.pointerId, before, point);
    else if (this.isZoomed) this.#drag(before, point);
    else if (this.#start) this.#move([point[0] - this.#start[0], 0], 1);
  }

  #pinch(id, before, point) {
    const [, other] = [...this.#fingers].find(([one]) => one !== id);
    this.#drag(before.map((value, axis) => (value + other[axis]) / 2), point.map((value, axis) => (value + other[axis]) / 2));
    const middle = point.map((value, axis) => (value + other[axis]) / 2);
    this.#zoom(distance(point, other) / Math.max(1, distance(before, other)), middle);
  }

  #drag(before, point) {
    this.#at = this.#at.map((at, axis) => at + point[axis] - before[axis]);
    this.#draw();
  }

  #onUp(event) {
    if (!this.#fingers.delete(event.pointerId)) return;
    const start = this.#start;
    this.#start = null;
    if (!start || event.type === "pointercancel") {
      this.#draw();
      return;
    }
    const point = this.#pointOf(event);
    const way = point[0] - start[0];
    if (distance(point, start) < STILL) this.#tap(event, point);
    else if (!this.isZoomed && Math.abs(way) > Math.max(SWIPE, Math.abs(point[1] - start[1]))) this.onSwipe(-Math.sign(way));
    this.#draw();
  }

  /** The system says what a double click of a mouse is; fingers are counted here. */
  #tap({ pointerType, timeStamp: time }, point) {
    this.#isMouse = pointerType === "mouse";
    if (this.#isMouse) return;
    const { at, time: before } = this.#tapped;
    const isDouble = time - before < TWICE && distance(at, point) < 3 * STILL;
    this.#tapped = { at: point, time: isDouble ? 0 : time };
    if (isDouble) this.#toggle(point);
  }

  #onDouble(event) {
    if (this.#isMouse && !event.target.closest("button, a")) this.#toggle(this.#pointOf(event));
  }

  #toggle(point) {
    if (this.isZoomed) this.#layOut();
    else this.#zoom(Math.max(TAP, 1 / this.#fit), point);
  }
}

function distance(one, other) {
  return Math.hypot(one[0] - other[0], one[1] - other[1]);
}
