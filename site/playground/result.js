// Renders an answer of `bridge.py`: the result with findings at their lines, the diff, the findings, and the graph.
import { byId, element } from "./dom.js";

const ORDER = { error: 0, warning: 1, info: 2 };

export function renderAnswer(answer, asked) {
  const findings = answer.findings ?? [];
  byId("report").textContent = answer.report;
  byId("exit").textContent = `exit code ${answer.exit}`;
  byId("outcome").dataset.outcome = answer.exit === 0 ? "done" : "error";
  renderCode(byId("result"), answer.text || "", addedLines(answer.diff), findings);
  renderDiff(byId("diff"), answer.diff || "");
  renderFindings(byId("findings"), findings, answer);
  renderGraph(answer.svg, answer.tree);
  byId("tab-findings").textContent = answer.text ? `Findings (${findings.length})` : "Findings";
  for (const name of ["result", "diff", "findings", "graph"]) {
    byId(`empty-${name}`).hidden = Boolean(answer.text);
    byId(`empty-${name}`).textContent = "No result: see the error above.";
  }
  for (const name of ["copy", "download", "reuse"]) byId(name).disabled = !answer.text;
  byId("command").textContent = commandLine(asked);
}

// Returns the command line of a request, quoted for a POSIX shell; a long one has a line for each option.
export function commandLine({ sidecar, parameters, containers, kubeVersion, retarget, columns }) {
  const words = ["sidecarctl", "add", sidecar, "-f", "manifest.yaml"];
  for (const [name, value] of Object.entries(parameters)) words.push("--set", `${name.replace(/([.=[\\])/g, "\\$1")}=${value}`);
  for (const name of containers) words.push("--container", name);
  if (retarget) words.push("--retarget");
  if (kubeVersion) words.push("--kube-version", kubeVersion);
  const quoted = words.map((word) => (/^[\w./:=@,+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  const line = quoted.join(" ");
  if (line.length <= columns) return line;
  return quoted.map((word, index) => (index > 3 && words[index].startsWith("--") ? ` \\\n  ${word}` : `${index ? " " : ""}${word}`)).join("");
}

// Returns the numbers of the lines of the new text that a unified diff adds.
export function addedLines(diff = "") {
  const added = new Set();
  let number = 0;
  for (const line of diff.split("\n")) {
    const hunk = /^@@ -\S+ \+(\d+)/.exec(line);
    if (hunk) number = Number(hunk[1]);
    else if (number && line.startsWith("+")) added.add(number++);
    else if (number && line.startsWith(" ")) number++;
  }
  return added;
}

function renderCode(place, text, added, findings) {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const byLine = Map.groupBy
    ? Map.groupBy(findings, (one) => one.place?.line)
    : findings.reduce((all, one) => all.set(one.place?.line, [...(all.get(one.place?.line) ?? []), one]), new Map());
  place.replaceChildren(
    ...lines.flatMap((line, index) => {
      const number = index + 1;
      const kind = added.has(number) ? "line added" : "line";
      const row = element("span", { class: kind, id: `line-${number}`, "data-number": number }, `${line}\n`);
      return [row, ...(byLine.get(number) ?? []).map(note)];
    }),
  );
}

function note(finding) {
  const indent = " ".repeat(Math.max((finding.place.column ?? 1) - 1, 0));
  return element("span", { class: `note ${finding.severity}` }, `${indent}^ ${finding.severity}[${finding.rule}]: ${finding.message}\n`);
}

function renderDiff(place, diff) {
  const kinds = { "+": "added", "-": "removed", "@": "hunk" };
  const lines = diff.split("\n").slice(0, -1);
  place.replaceChildren(
    ...lines.map((line) => element("span", { class: `line ${(/^(---|\+\+\+) /.test(line) ? "" : kinds[line[0]]) ?? ""}` }, `${line}\n`)),
  );
}

function renderFindings(place, findings, { text, problem }) {
  const sorted = [...findings].sort((a, b) => ORDER[a.severity] - ORDER[b.severity] || (a.place?.line ?? 0) - (b.place?.line ?? 0));
  place.replaceChildren(
    ...(problem ? [element("pre", {}, problem)] : []),
    ...(sorted.length || problem || !text ? sorted.map(card) : [element("p", {}, "No findings.")]),
  );
}

function card(finding) {
  const where = finding.place ? `line ${finding.place.line}` : "";
  const subject = [finding.workload, finding.container && `container ${finding.container}`].filter(Boolean).join(", ");
  const jump = where && element("button", { type: "button", class: "link", "data-line": finding.place.line }, where);
  return element(
    "article",
    { class: `finding ${finding.severity}` },
    element("h3", {}, element("span", { class: "severity" }, finding.severity), " ", finding.message),
    element("p", { class: "where" }, ruleLink(finding.rule), subject ? ` · ${subject}` : "", where ? " · " : "", jump),
    finding.why ? element("p", {}, finding.why) : null,
    finding.help ? element("p", {}, element("b", {}, "help: "), finding.help) : null,
  );
}

function ruleLink(rule) {
  return element("a", { href: `../../rules/${encodeURIComponent(rule)}/` }, rule);
}

function renderGraph(svg, tree) {
  const image = byId("graph-image");
  if (image.src) URL.revokeObjectURL(image.src);
  image.hidden = !svg;
  if (svg) image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  else image.removeAttribute("src");
  byId("graph-text").textContent = tree ?? "";
  byId("graph-details").hidden = !tree;
  // On a narrow screen the picture is small: the text is what people read.
  if (tree && window.matchMedia("(max-width: 60rem)").matches) byId("graph-details").open = true;
}
