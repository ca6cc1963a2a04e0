// Which study the cines are of: typed as the trial names it, or one that the gateway has cines of.

import { byId, make, mark, say } from "./elements.js";
import { post } from "./requests.js";

const NOTHING_KEPT = "The gateway has no trial protocol: views are named, but no study is kept.";
const LOOKING = "The trial's protocol is not known yet.";
const FIRST = "Say first which study it is, then drop the cines again.";

export class Chooser {
  #chosen;
  #protocol = null;
  #shown = "";
  #unnamed = null; // of the list, and waiting for its name

  /** `chosen` is called with the study. */
  constructor(chosen) {
    this.#chosen = chosen;
    byId("name-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    byId("name-other").addEventListener("click", () => this.open());
  }

  /** Ask for a study again. */
  open() {
    byId("subject-code").value = "";
    this.#ask(null);
    byId("subject-code").focus();
  }

  /** Say that cines came before their study was known. */
  askFirst() {
    say(byId("name-trouble"), FIRST);
    byId("subject-code").focus();
  }

  /** Follow what the gateway says its trial asks for; without a trial no study is begun by mistake. */
  showGateway(gateway) {
    const { protocol } = gateway;
    const isWithoutTrial = gateway.is_there && !gateway.has_studies;
    const shown = JSON.stringify([protocol, isWithoutTrial]);
    if (shown === this.#shown) return; // keep what is typed
    this.#shown = shown;
    this.#protocol = protocol;
    byId("visits").replaceChildren(...(protocol?.visits ?? []).map((visit, at) =>
      make("label", {}, make("input", { type: "radio", name: "visit", value: visit, checked: at === 0 }), visit)));
    for (const part of byId("name-form").querySelectorAll("label[for], input, fieldset")) part.hidden = protocol === null;
    byId("arriving").hidden = protocol === null;
    byId("name-submit").disabled = protocol === null && !isWithoutTrial;
    this.#ask(this.#unnamed);
  }

  showStudies(studies) {
    byId("arriving-none").hidden = studies.length > 0;
    byId("arriving-list").hidden = studies.length === 0;
    const list = byId("arriving-list");
    const focused = list.contains(document.activeElement) ? document.activeElement.dataset.study : "";
    list.replaceChildren(...studies.map((study) => this.#line(study)));
    if (focused) list.querySelector(`[data-study="${focused}"]`)?.focus();
  }

  #line(study) {
    const name = study.subject_code ? `${study.subject_code} · ${study.visit}` : "Not named yet";
    const [sign, word] = study.is_complete ? ["✓", "complete"] : ["○", "not complete"];
    const time = new Date(1000 * study.last_s).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const cines = study.cines === 1 ? "1 cine" : `${study.cines} cines`;
    const button = make("button", { type: "button", class: `study ${study.is_complete ? "done" : ""}`, "data-study": study.study },
      make("span", { class: "name" }, name),
      make("span", { class: "facts" }, `${cines}, last at ${time} `),
      make("span", { class: "word" }, mark(sign), word));
    button.addEventListener("click", () => {
      if (study.subject_code) this.#chosen({ study: study.study, subject_code: study.subject_code, visit: study.visit });
      else this.#ask(study);
    });
    return make("li", {}, button);
  }

  /** Ask for a name: of a study that has cines but none, or of the one to begin. */
  #ask(unnamed) {
    this.#unnamed = unnamed;
    const shape = this.#protocol?.subject_code.replaceAll("#", "0").replaceAll("@", "A");
    const hint = this.#protocol ? `Trial ${this.#protocol.trial}. Codes look like ${shape}.` : NOTHING_KEPT;
    say(byId("name-title"), unnamed ? "Name this study" : this.#protocol ? "Which study?" : "No study");
    say(byId("name-hint"), byId("name-submit").disabled ? LOOKING : hint);
    say(byId("name-submit"), unnamed ? "Name it and go on" : this.#protocol ? "Begin" : "Name views only");
    this.#complain("");
    byId("name-other").hidden = unnamed === null;
    if (unnamed) byId("subject-code").focus();
  }

  async #submit() {
    if (this.#protocol === null) return this.#chosen({});
    const visit = document.querySelector('input[name="visit"]:checked')?.value ?? "";
    const wanted = { study: this.#unnamed?.study ?? "", subject_code: byId("subject-code").value, visit };
    const told = await post("/api/study", wanted);
    const words = told.trouble?.words ?? told.words ?? "";
    this.#complain(words);
    if (words) byId("subject-code").focus();
    else this.#chosen(told);
  }

  #complain(words) {
    say(byId("name-trouble"), words);
    byId("subject-code").setAttribute("aria-invalid", String(words !== ""));
  }
}
