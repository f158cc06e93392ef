// Tabs as the ARIA Authoring Practices describe them: one tab stop, arrow keys, Home, and End.

export function setUpTabs(list) {
  const tabs = [...list.querySelectorAll("[role=tab]")];
  const select = (tab, focus) => {
    for (const each of tabs) {
      const chosen = each === tab;
      each.setAttribute("aria-selected", `${chosen}`);
      each.tabIndex = chosen ? 0 : -1;
      document.getElementById(each.getAttribute("aria-controls")).hidden = !chosen;
    }
    if (focus) tab.focus();
  };
  list.addEventListener("click", (event) => event.target.matches("[role=tab]") && select(event.target));
  list.addEventListener("keydown", (event) => {
    const here = tabs.indexOf(document.activeElement);
    const next = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (here < 0 || next === undefined) return;
    event.preventDefault();
    select(tabs.at(next % tabs.length), true);
  });
  return (id) => select(tabs.find((tab) => tab.getAttribute("aria-controls") === id));
}
