// A synthetic batch: asked for, shown image by image as it is made, and stopped when it is no longer wanted.

import { byId, make, say } from "./elements.js";

const NO_GENERATOR = "This gateway serves no generator, so no images can be made here. Ask whoever runs it to add a trained one to its model repository.";
const GONE = "The console on this computer does not answer: start it again.";
const VIEWS = ["A2C", "A4C", "PLAX", "PSAX"];
const SCALE = 2;

let running = null;

export function startBatch() {
  byId("batch-form").addEventListener("submit", (event) => {
    event.preventDefault();
    makeImages(new FormData(event.target));
  });
  byId("batch-stop").addEventListener("click", () => running?.abort());
}

/** Say whether images can be made at all. */
export function showGenerator(gateway) {
  const isMissing = gateway.is_there && !gateway.has_generator;
  byId("no-generator").hidden = !isMissing;
  say(byId("no-generator"), isMissing ? NO_GENERATOR : "");
  byId("batch-fields").disabled = isMissing || !gateway.is_there || running !== null;
}

async function makeImages(form) {
  const counts = Object.fromEntries(VIEWS.map((view) => [view, Number(form.get(view))]));
  running = new AbortController();
  begin();
  let made = 0;
  try {
    const body = JSON.stringify({ counts, seed: Number(form.get("seed")) });
    const response = await fetch("/api/batches", { method: "POST", body, signal: running.signal });
    for await (const line of lines(response)) {
      if (line.words || line.trouble) return end(line.words ?? line.trouble.words, "");
      byId("batch-images").append(await imageOf(line));
      made += 1;
      progress(made, line.total);
    }
    end("", made > 0 ? `${made} images are made.` : "");
  } catch (error) {
    end(error.name === "AbortError" ? "" : GONE, error.name === "AbortError" ? `Stopped after ${made} images.` : "");
  }
}

function begin() {
  byId("batch-images").replaceChildren();
  byId("batch-fields").disabled = true;
  byId("batch-stop").hidden = false;
  byId("batch-stop").focus();
  byId("batch-progress").hidden = false;
  say(byId("batch-trouble"), "");
  say(byId("batch-told"), "Waiting for the first image");
  byId("batch-bar").removeAttribute("value");
}

function end(trouble, told) {
  running = null;
  byId("batch-fields").disabled = false;
  byId("batch-form").querySelector('[type="submit"]').focus();
  byId("batch-stop").hidden = true;
  say(byId("batch-trouble"), trouble);
  byId("batch-progress").hidden = trouble !== "";
  if (told) say(byId("batch-told"), told);
  say(byId("batch-spoken"), told);
}

function progress(made, total) {
  byId("batch-bar").max = total;
  byId("batch-bar").value = made;
  say(byId("batch-told"), `${made} of ${total} images`);
}

async function imageOf(line) {
  const picture = await createImageBitmap(new Blob([Uint8Array.from(atob(line.png), (c) => c.charCodeAt(0))]));
  const label = `Synthetic ${line.view} image ${line.index + 1}`;
  const canvas = make("canvas", { role: "img", "aria-label": label, width: SCALE * picture.width, height: SCALE * picture.height });
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return make("li", {}, make("figure", {}, canvas,
    make("figcaption", {}, make("strong", {}, line.view), make("span", { class: "badge" }, "Synthetic"))));
}

/** Read lines of JSON as they arrive. */
async function* lines(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    const parts = (rest + (value ?? "")).split("\n");
    rest = done ? "" : parts.pop();
    for (const part of parts) if (part) yield JSON.parse(part);
    if (done) return;
  }
}
