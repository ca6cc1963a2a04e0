// The page: puts its parts together and passes on what the console tells.

import { showGenerator, startBatch } from "./batch.js";
import { Chooser } from "./chooser.js";
import { Cines } from "./cines.js";
import { byId, say } from "./elements.js";
import { Player } from "./player.js";
import { ask, listen } from "./requests.js";
import { showReview } from "./review.js";
import { startTabs } from "./tabs.js";

let gateway = { is_there: false, protocol: null };
let study = null; // null while one is being chosen, {} for none
let review = null;
let stop = () => {};

const limits = await ask("/api/limits");
const cines = new Cines(new Player(), limits, () => gateway.is_there);
const chooser = new Chooser(open);

function hear() {
  stop();
  stop = listen(study, {
    gateway: (told) => {
      gateway = told;
      showGateway();
      chooser.showGateway(gateway);
      showGenerator(gateway);
      showReview(review, gateway.protocol);
      cines.next();
    },
    studies: (studies) => {
      chooser.showStudies(studies);
      showGateway(); // a trouble of before is over
    },
    review: (told) => {
      review = told;
      showReview(review, gateway.protocol);
      showGateway();
    },
    trouble: (told) => alarm(told.words),
    gone: (words) => {
      gateway = { ...gateway, is_there: false, words };
      showGateway();
      showGenerator(gateway);
    },
  });
}

function showGateway() {
  const lamp = byId("gateway");
  const isReady = gateway.is_there && gateway.words === "";
  lamp.classList.toggle("on", isReady);
  say(lamp, isReady ? "Gateway ready" : gateway.is_there ? "Gateway not ready" : "Gateway away");
  alarm(gateway.is_there ? gateway.words : `${gateway.words} This page comes back by itself; files that wait are sent then.`);
  if (gateway.trained_on) say(byId("weights"), `Weights trained on: ${gateway.trained_on} data · model ${gateway.model_sha256.slice(0, 8)}`);
}

function alarm(words) {
  byId("alarm").hidden = words === "";
  say(byId("alarm"), words);
}

function open(chosen) {
  study = chosen;
  review = null;
  say(byId("study-title"), chosen.subject_code ? `${chosen.subject_code} · ${chosen.visit}` : "No study");
  byId("choosing").hidden = true;
  byId("working").hidden = false;
  cines.begin(chosen);
  showReview(null, gateway.protocol);
  hear();
  byId("drop").focus();
}

function startDrop() {
  const files = byId("files");
  byId("drop").addEventListener("click", () => files.click());
  files.addEventListener("change", () => {
    cines.add(files.files);
    files.value = "";
  });
  for (const name of ["dragover", "dragenter"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault(); // else the browser would open the file instead of the page
      byId("drop").classList.add("over");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) byId("drop").classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    byId("drop").classList.remove("over");
    if (study === null) chooser.askFirst();
    else cines.add(event.dataTransfer.files);
  });
}

byId("change-study").addEventListener("click", () => {
  study = null;
  byId("working").hidden = true;
  byId("choosing").hidden = false;
  cines.begin(null);
  hear();
  chooser.open();
});
startTabs();
startDrop();
startBatch();
hear();
