// What the page asks of the console. A console that is gone gives trouble like everything else.

const GONE = "The console on this computer does not answer: start it again.";
const GONE_RETRY_S = 3;
const UNREADABLE = "A folder, or a file that has changed: drop the cines themselves again.";

/** The addresses' words for a study: its name, or what the list calls it. */
export function studyQuery(study) {
  return new URLSearchParams(study === null ? {} : study).toString();
}

/** Ask, and give the JSON of the answer; `{trouble}` where the console cannot be reached. */
export async function ask(address, options = {}) {
  try {
    const response = await fetch(address, options);
    return await response.json();
  } catch {
    return { trouble: { reason: "CONSOLE_GONE", words: GONE, retry_after_s: GONE_RETRY_S } };
  }
}

export function post(address, value) {
  return ask(address, { method: "POST", body: JSON.stringify(value) });
}

/** Send a file. What cannot be read would look like a console that is gone. */
export async function sendCine(study, file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    return { trouble: { words: UNREADABLE } };
  }
  return ask(`/api/cines?${studyQuery(study)}`, { method: "POST", body: file });
}

/** Listen to what happens; gives a function that ends it. `handlers` has one for each event, and `gone`. */
export function listen(study, handlers) {
  const source = new EventSource(`/api/events?${studyQuery(study)}`);
  for (const name of ["gateway", "studies", "review", "trouble"]) {
    source.addEventListener(name, (event) => handlers[name]?.(JSON.parse(event.data)));
  }
  let again = 0;
  source.addEventListener("error", () => {
    handlers.gone(GONE);
    if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
    again = setTimeout(() => { end = listen(study, handlers); }, 1000 * GONE_RETRY_S);
  });
  let end = () => {
    clearTimeout(again);
    source.close();
  };
  return () => end();
}
