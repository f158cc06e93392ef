// Light and dark: the choice made here, else the one made on the other pages of the site, else that of the system.

const KEY = "playground-theme";

export function setUpTheme(button) {
  apply(stored() ?? chosenOnSite() ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
  button.addEventListener("click", () => {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    apply(next);
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // Without storage, the choice lasts until the page is closed.
    }
  });

  function apply(theme) {
    document.documentElement.dataset.theme = theme;
    const other = theme === "dark" ? "Light" : "Dark";
    button.textContent = other;
    button.setAttribute("aria-label", `${other} mode`);
  }
}

function stored() {
  try {
    const value = localStorage.getItem(KEY);
    return value === "dark" || value === "light" ? value : null;
  } catch {
    return null;
  }
}

function chosenOnSite() {
  try {
    const key = Object.keys(localStorage).find((one) => one.endsWith("__palette"));
    const scheme = key && JSON.parse(localStorage.getItem(key))?.color?.scheme;
    return scheme ? (scheme === "slate" ? "dark" : "light") : null;
  } catch {
    return null;
  }
}
