// The playground: connects the fields, the URL, the worker, and the result.
import { byId, element } from "./dom.js";
import { buildForm, readForm } from "./form.js";
import { commandLine, renderAnswer } from "./result.js";
import { Runner } from "./runner.js";
import { decodeState, encodeState, StateError } from "./state.js";
import { setUpTabs } from "./tabs.js";
import { setUpTheme } from "./theme.js";

const PAUSE = 300; // milliseconds without input after which the result is computed
const MOST_CHARACTERS = 200_000;
const STATUS = { starting: "Starting Python…", ready: "Ready", running: "Running…" };

let catalog;
let runner;
let timer = 0; // not 0 while input waits to be sent
let lastText = "";
let showPanel;
let shownExample = null; // the example whose parameters the form has

async function start() {
  setUpTheme(byId("theme"));
  showPanel = setUpTabs(byId("tabs"));
  catalog = await (await fetch("catalog.json")).json();
  byId("example").append(...catalog.examples.map(({ name, title }) => element("option", { value: name }, title)), element("option", { value: "" }, "own manifest"));
  byId("sidecar").append(...Object.entries(catalog.sidecars).map(([name, { summary }]) => element("option", { value: name, title: summary }, name)));
  byId("kube-version").append(...catalog.kubeVersions.map((version) => element("option", { value: version }, version)));
  listen();
  await restore();
  window.addEventListener("hashchange", () => location.hash.startsWith("#s=") && restore());
  runner = new Runner(showRunner);
  await update();
}

function listen() {
  byId("example").addEventListener("change", () => (byId("example").value ? showExample(byId("example").value) : clearManifest()));
  byId("sidecar").addEventListener("change", () => showSidecar(byId("sidecar").value, {}));
  byId("manifest").addEventListener("input", () => {
    byId("example").value = "";
    forgetExample();
    schedule();
  });
  byId("container").addEventListener("input", schedule);
  byId("kube-version").addEventListener("change", schedule);
  byId("retarget").addEventListener("change", schedule);
  byId("skip").addEventListener("click", () => byId("manifest").focus());
  byId("jump").addEventListener("click", () => {
    byId("output").scrollIntoView();
    byId("output").focus({ preventScroll: true });
  });
  byId("reset").addEventListener("click", () => showSidecar(byId("sidecar").value, {}));
  byId("reuse").addEventListener("click", () => {
    byId("manifest").value = lastText;
    byId("example").value = "";
    byId("manifest").focus();
    schedule();
  });
  byId("copy").addEventListener("click", () => copy(lastText, "Copied the result"));
  byId("copy-command").addEventListener("click", () => copy(byId("command").textContent, "Copied the command"));
  byId("share").addEventListener("click", async () => {
    await saveState();
    await copy(location.href, "Copied the link");
  });
  byId("download").addEventListener("click", () => {
    const url = URL.createObjectURL(new Blob([lastText], { type: "application/yaml" }));
    element("a", { href: url, download: "manifest.yaml" }).click();
    URL.revokeObjectURL(url);
  });
  byId("findings").addEventListener("click", ({ target }) => target.dataset.line && showLine(target.dataset.line));
}

function showLine(number) {
  showPanel("panel-result");
  byId(`line-${number}`)?.scrollIntoView({ block: "center" });
  byId("result").focus({ preventScroll: true });
}

async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
    say(done);
  } catch {
    say("Cannot copy: the browser denies access to the clipboard");
  }
}

function showExample(name) {
  const example = catalog.examples.find((one) => one.name === name) ?? catalog.examples[0];
  byId("example").value = example.name;
  byId("manifest").value = example.manifest;
  byId("container").value = "";
  byId("retarget").checked = Boolean(example.retarget);
  shownExample = example;
  showSidecar(example.sidecar, example.parameters);
}

// Makes room for a manifest of the user.
function clearManifest() {
  byId("manifest").value = "";
  byId("container").value = "";
  forgetExample();
  byId("manifest").focus();
  schedule();
}

// Drops the parameters of the example once another manifest has replaced its own; those that the user changed stay.
function forgetExample() {
  if (!shownExample) return;
  const lines = new Set(byId("manifest").value.split("\n").map((line) => line.trim()));
  const own = shownExample.manifest.split("\n").map((line) => line.trim()).filter(Boolean);
  if (own.filter((line) => lines.has(line)).length > own.length / 2) return;
  const { sidecar, parameters } = shownExample;
  shownExample = null;
  if (byId("sidecar").value !== sidecar) return;
  const changed = Object.entries(readForm(byId("parameters"))).filter(([name, value]) => parameters[name] !== value);
  showSidecar(sidecar, Object.fromEntries(changed));
}

function showSidecar(name, parameters) {
  const sidecar = catalog.sidecars[name];
  byId("sidecar").value = name;
  byId("summary").textContent = sidecar.summary;
  byId("sidecar-page").href = `../../library/${name}/`;
  buildForm(byId("parameters"), sidecar, catalog.common, parameters, schedule);
  const shown = readForm(byId("parameters"));
  const lost = Object.keys(parameters).filter((one) => !Object.hasOwn(shown, one) && parameters[one] !== "");
  byId("notice").textContent = lost.length ? `The link has values that ${name} does not take: ${lost.join(", ")}` : "";
  schedule();
}

// Shows the state of the URL; without one, the first example.
async function restore() {
  let state = null;
  let problem = "";
  try {
    state = await decodeState(location.hash);
    if (state && !Object.hasOwn(catalog.sidecars, state.sidecar)) throw new StateError(`unknown sidecar "${state.sidecar}" in the link`);
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
    state = null;
    problem = `Cannot open the link: ${error.message}`;
  }
  if (!state) {
    showExample(catalog.examples[0].name);
    byId("notice").textContent = problem;
    return;
  }
  const example = catalog.examples.find((one) => one.name === state.example);
  byId("example").value = state.manifest === undefined && example ? example.name : "";
  byId("manifest").value = state.manifest ?? example?.manifest ?? "";
  byId("container").value = state.container;
  byId("retarget").checked = state.retarget;
  shownExample = byId("example").value ? example : null;
  byId("kube-version").value = catalog.kubeVersions.includes(state.kubeVersion) ? state.kubeVersion : "";
  showSidecar(state.sidecar, state.parameters);
}

function schedule() {
  document.documentElement.dataset.state = "pending";
  clearTimeout(timer);
  timer = setTimeout(update, PAUSE);
}

function readRequest() {
  return {
    manifest: byId("manifest").value,
    sidecar: byId("sidecar").value,
    parameters: readForm(byId("parameters")),
    containers: byId("container").value.split(/[\s,]+/).filter(Boolean),
    kubeVersion: byId("kube-version").value,
    retarget: byId("retarget").checked,
    columns: reportColumns(),
  };
}

// Returns the width of the report in characters, from 40 to 80.
function reportColumns() {
  const probe = element("span", {}, "0".repeat(10));
  byId("command").append(probe);
  const width = probe.getBoundingClientRect().width / 10;
  probe.remove();
  return Math.max(40, Math.min(80, Math.floor(byId("outcome").clientWidth / (width || 8)) - 4));
}

async function update() {
  clearTimeout(timer);
  timer = 0;
  if (!runner) return;
  const asked = readRequest();
  byId("command").textContent = commandLine(asked);
  if (asked.manifest.length > MOST_CHARACTERS) {
    say(`The manifest is too large for the playground: ${asked.manifest.length} characters (limit: ${MOST_CHARACTERS})`);
    return;
  }
  await saveState();
  const answer = await runner.ask(asked);
  if (!answer) return;
  lastText = answer.text;
  renderAnswer(answer, asked);
  if (!timer && !runner.busy) document.documentElement.dataset.state = "done";
}

async function saveState() {
  const { manifest, sidecar, parameters, kubeVersion, retarget } = readRequest();
  const example = catalog.examples.find((one) => one.manifest === manifest);
  const source = example ? { example: example.name } : { manifest };
  const container = byId("container").value;
  const fragment = await encodeState({ ...source, sidecar, parameters, ...(container && { container }), ...(kubeVersion && { kubeVersion }), ...(retarget && { retarget }) });
  byId("share").disabled = !fragment;
  byId("share").title = fragment ? "" : "The manifest is too large for a link";
  history.replaceState(null, "", fragment || location.pathname + location.search);
}

function showRunner({ state, message }) {
  byId("status").dataset.state = state;
  document.documentElement.dataset.runner = state;
  if (message) byId("problem").textContent = message;
  else if (state === "running") byId("problem").textContent = "";
  say(STATUS[state] ?? message);
}

function say(text) {
  byId("status").textContent = text;
}

start();
