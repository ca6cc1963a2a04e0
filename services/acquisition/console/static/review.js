// What the study has and still misses: the list that turns green.

import { byId, make, mark, say } from "./elements.js";

const STATES = {
  done: { sign: "✓", word: "Done" },
  begun: { sign: "◐", word: "" },
  missing: { sign: "○", word: "Missing" },
};

/** Show what a study has; before its first cine that is what the trial asks for. */
export function showReview(review, protocol) {
  const views = review?.views ?? protocol?.views ?? [];
  byId("views").replaceChildren(...views.map(viewLine));
  showRejections(review);
  say(byId("summary"), summary(views));
  byId("summary").classList.toggle("done", views.length > 0 && views.every((view) => view.missing === 0));
}

function summary(views) {
  if (views.length === 0) return "Views are named; no study is kept.";
  const missing = views.filter((view) => view.missing > 0);
  if (missing.length === 0) return "Complete: every view is there.";
  const needed = missing.map((view) => `${view.missing}\u00a0${view.view}`);
  return `Still needed: ${needed.join(", ")}`;
}

function viewLine(view) {
  const counted = Math.min(view.accepted, view.required);
  const state = view.missing === 0 ? "done" : counted > 0 ? "begun" : "missing";
  const { sign, word } = STATES[state];
  const notes = view.uncertain > 0 ? ` · ${view.uncertain} not sure enough` : "";
  return make("li", { class: `view ${state}`, "data-view": view.view, "data-state": state },
    mark(sign),
    make("span", { class: "short" }, view.view),
    make("span", { class: "long" }, view.name),
    make("span", { class: "count" }, `${counted} of ${view.required}`),
    make("span", { class: "word" }, (word || `${view.missing} missing`) + notes));
}

function showRejections(review) {
  const lines = (review?.rejections ?? []).map((each) =>
    make("li", {}, make("span", { class: "times" }, `${each.count} ×`),
      make("span", {}, each.view ? make("strong", {}, each.view) : "", each.view ? " " : "", each.sentence)));
  if (review?.unnamed) {
    lines.push(make("li", {}, make("span", { class: "times" }, `${review.unnamed} ×`),
      make("span", {}, "The view could not be told: improve the window and repeat.")));
  }
  byId("rejected").hidden = lines.length === 0;
  byId("rejections").replaceChildren(...lines);
}
