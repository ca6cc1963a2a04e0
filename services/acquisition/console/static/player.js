// Plays one cine on a canvas, with the sector's outline over it.

import { byId, say } from "./elements.js";
import { ask } from "./requests.js";

const CANVAS_PX = 960; // of its longer side: a small film gets a fine outline too
const OUTLINE_PX = 5;
const OUTLINES = { counts: "#42e08c", usable: "#42e08c", unsure: "#ffc857", rejected: "#ffa198" };
const NO_PICTURE = "No picture yet.";
const NO_SECTOR = "No picture: no single ultrasound sector was found in it.";

export class Player {
  #canvas = byId("film");
  #none = byId("no-film");
  #button = byId("play");
  #frames = [];
  #film = null;
  #state = "";
  #scale = 1;
  #isPlaying = false;
  #startMs = 0;
  #shownFor = 0;

  constructor() {
    this.#button.addEventListener("click", () => (this.#isPlaying ? this.#pause() : this.#play()));
  }

  /** Show a film by its name, or that there is none (null); `label` says what it is to those who do not see it. */
  async show(name, state, label) {
    const turn = ++this.#shownFor;
    this.#clear(name === null ? NO_PICTURE : "Reading the picture");
    if (name === null) return;
    const film = await ask(`/api/films/${name}`);
    if (turn !== this.#shownFor) return;
    const words = film.words ?? film.trouble?.words ?? (film.frame_bytes.length ? "" : NO_SECTOR);
    if (words) return this.#clear(words);
    const frames = await decode(name, film.frame_bytes);
    if (turn !== this.#shownFor) return release(frames);
    this.#film = film;
    this.#frames = frames;
    this.#state = state;
    this.#scale = CANVAS_PX / Math.max(film.columns, film.rows);
    this.#canvas.width = Math.round(this.#scale * film.columns);
    this.#canvas.height = Math.round(this.#scale * film.rows);
    this.#canvas.setAttribute("aria-label", label);
    this.#canvas.hidden = false;
    this.#none.hidden = true;
    this.#button.hidden = frames.length < 2;
    say(this.#button, "Play");
    this.#draw(0);
    if (frames.length > 1 && !matchMedia("(prefers-reduced-motion: reduce)").matches) this.#play();
  }

  #clear(words) {
    release(this.#frames);
    this.#frames = [];
    this.#isPlaying = false;
    this.#canvas.hidden = true;
    this.#button.hidden = true;
    this.#none.hidden = false;
    say(this.#none, words);
  }

  #play() {
    this.#isPlaying = true;
    this.#startMs = performance.now();
    say(this.#button, "Pause");
    const turn = this.#shownFor;
    const times = this.#film.times_ms;
    const wholeMs = times.at(-1) + (times.at(-1) - times[0]) / (times.length - 1) || 1000;
    const step = (nowMs) => {
      if (!this.#isPlaying || turn !== this.#shownFor) return;
      const atMs = (nowMs - this.#startMs) % wholeMs;
      this.#draw(Math.max(0, times.findLastIndex((time) => time - times[0] <= atMs)));
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  #pause() {
    this.#isPlaying = false;
    say(this.#button, "Play");
  }

  #draw(index) {
    const pen = this.#canvas.getContext("2d");
    pen.drawImage(this.#frames[index], 0, 0, this.#canvas.width, this.#canvas.height);
    drawOutline(pen, this.#film.outline_px, this.#scale, this.#state);
    this.#canvas.dataset.frame = index;
  }
}

/** Draw the first frame of a film small, for the list. */
export async function drawStill(canvas, name) {
  const film = await ask(`/api/films/${name}`);
  if (!film.frame_bytes?.length) return;
  const [first] = await decode(name, film.frame_bytes.slice(0, 1));
  canvas.width = film.columns;
  canvas.height = film.rows;
  canvas.getContext("2d").drawImage(first, 0, 0);
  first.close();
}

async function decode(name, sizes) {
  const response = await fetch(`/api/films/${name}/frames`);
  const bytes = await response.arrayBuffer();
  let start = 0;
  return Promise.all(sizes.map((size) => {
    const part = new Blob([bytes.slice(start, start + size)], { type: "image/jpeg" });
    start += size;
    return createImageBitmap(part);
  }));
}

function drawOutline(pen, outline, scale, state) {
  pen.beginPath();
  for (const [column, row] of outline) pen.lineTo(scale * (column + 0.5), scale * (row + 0.5));
  pen.closePath();
  pen.lineJoin = "round";
  pen.lineWidth = OUTLINE_PX;
  pen.strokeStyle = OUTLINES[state] ?? "#6fd3ff";
  pen.stroke();
}

function release(frames) {
  for (const frame of frames) frame.close();
}
