// Tabs by the ARIA authoring practices: arrow keys move and select, only the selected tab is in the tab order.

import { byId } from "./elements.js";

export function startTabs() {
  const tabs = [...document.querySelectorAll('[role="tab"]')];

  function select(tab) {
    for (const each of tabs) {
      const isIt = each === tab;
      each.setAttribute("aria-selected", String(isIt));
      each.tabIndex = isIt ? 0 : -1;
      byId(each.getAttribute("aria-controls")).hidden = !isIt;
    }
  }

  function keyed(event) {
    const at = tabs.indexOf(event.currentTarget);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const tab = tabs[(to + tabs.length) % tabs.length];
    select(tab);
    tab.focus();
  }

  for (const tab of tabs) {
    tab.addEventListener("click", () => select(tab));
    tab.addEventListener("keydown", keyed);
  }
}
