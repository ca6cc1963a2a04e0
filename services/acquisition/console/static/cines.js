// Files that were dropped: sent one after the other, tried again while that makes sense, shown with what they got.

import { byId, make, mark, say } from "./elements.js";
import { drawStill } from "./player.js";
import { sendCine } from "./requests.js";

const AT_A_TIME = 2;
const STATES = {
  queued: { sign: "…", word: "Waiting" },
  sending: { sign: "…", word: "Being read" },
  waiting: { sign: "…", word: "Waiting" },
  counts: { sign: "✓", word: "Accepted" },
  usable: { sign: "✓", word: "Usable" },
  unsure: { sign: "?", word: "Not counted" },
  rejected: { sign: "✕", word: "Rejected" },
  trouble: { sign: "!", word: "Not read" },
};

export class Cines {
  #player;
  #limits;
  #all = [];
  #running = 0;
  #study = null;
  #isThere = () => true;

  constructor(player, limits, isThere) {
    this.#player = player;
    this.#limits = limits;
    this.#isThere = isThere;
  }

  /** Begin another study: what was sent for the one before is off the screen. */
  begin(study) {
    this.#study = study;
    this.#all = [];
    byId("sent").replaceChildren();
    byId("sent-title").hidden = true;
    byId("shown").hidden = true;
    byId("drop").classList.remove("slim");
    say(byId("spoken"), "");
  }

  add(files) {
    for (const file of files) {
      const cine = { number: this.#all.length + 1, file, study: this.#study, state: "queued", sentences: [], dueMs: 0 };
      this.#all.push(cine);
      this.#list(cine);
      if (file.size > this.#limits.max_bytes) this.#settle(cine, { trouble: { words: this.#limits.too_large } });
    }
    byId("drop").classList.add("slim");
    this.next();
  }

  /** Send what is due. */
  next() {
    const nowMs = performance.now();
    for (const cine of this.#all) {
      if (this.#running >= AT_A_TIME || !this.#isThere()) return;
      if (cine.state === "queued" || (cine.state === "waiting" && cine.dueMs <= nowMs)) this.#send(cine);
    }
  }

  async #send(cine) {
    this.#running += 1;
    this.#turn(cine, "sending", { sentences: [] });
    const told = await sendCine(cine.study, cine.file);
    this.#running -= 1;
    this.#settle(cine, told);
    this.next();
  }

  #settle(cine, told) {
    if (!this.#all.includes(cine)) return; // of a study that is off the screen
    if (told.answer) {
      cine.film = told.film;
      this.#turn(cine, told.answer.state, told.answer);
      if (cine.still) drawStill(cine.still, cine.film);
      this.#show(cine);
      say(byId("spoken"), `Cine ${cine.number}: ${spoken(cine)}`);
      cine.file = null; // read; nothing keeps it
      return;
    }
    const trouble = told.trouble ?? { words: told.words };
    if (trouble.retry_after_s != null) {
      cine.dueMs = performance.now() + 1000 * trouble.retry_after_s;
      this.#turn(cine, "waiting", { sentences: [`${trouble.words} It is sent again by itself.`] });
      setTimeout(() => this.next(), 1000 * trouble.retry_after_s + 50);
      return;
    }
    this.#turn(cine, "trouble", { sentences: [trouble.words] });
    this.#show(cine);
    say(byId("spoken"), `Cine ${cine.number}: ${trouble.words}`);
  }

  #turn(cine, state, told) {
    Object.assign(cine, told, { state });
    this.#list(cine);
    if (cine.isShown) this.#show(cine);
  }

  /** Put a cine on the large screen. */
  #show(cine) {
    for (const each of this.#all) {
      each.isShown = each === cine;
      each.line.setAttribute("aria-pressed", String(each.isShown));
    }
    byId("shown").hidden = false;
    byId("answer").replaceChildren(...answerLines(cine));
    byId("answer").className = `answer ${cine.state}`;
    this.#player.show(cine.film ?? null, cine.state, `Cine ${cine.number}, ${spoken(cine)}`);
  }

  /** Put a cine into the list, or bring its line up to date. */
  #list(cine) {
    if (!cine.line) {
      cine.still = make("canvas", { "aria-hidden": "true", width: 4, height: 3 });
      cine.text = make("span", { class: "text" });
      cine.line = make("button", { type: "button", "aria-pressed": "false" }, cine.still, cine.text);
      cine.line.addEventListener("click", () => this.#show(cine));
      byId("sent").prepend(make("li", {}, cine.line));
      byId("sent-title").hidden = false;
    }
    const { sign, word } = STATES[cine.state];
    cine.line.className = `sent ${cine.state}`;
    cine.line.dataset.state = cine.state;
    cine.text.replaceChildren(
      make("span", { class: "number" }, `Cine ${cine.number} `),
      make("span", { class: "verdict" }, mark(sign), make("span", {}, `${word} `)),
      make("span", { class: "told" }, cine.view ? `${cine.view} ${cine.confidence}` : ""));
  }
}

function answerLines(cine) {
  const { sign, word } = STATES[cine.state];
  return [
    make("p", { class: "verdict" }, mark(sign), word),
    cine.view ? make("p", { class: "told" }, make("strong", {}, cine.view), " ", make("span", {}, cine.confidence)) : "",
    cine.name ? make("p", { class: "name" }, cine.name) : "",
    ...cine.sentences.map((sentence) => make("p", { class: "sentence" }, sentence)),
    make("p", { class: "number" }, `Cine ${cine.number}`),
  ];
}

function spoken(cine) {
  const { word } = STATES[cine.state];
  return [word, cine.view && `${cine.view} ${cine.confidence}`, ...cine.sentences].filter(Boolean).join(". ");
}
