// A form made from the JSON Schema of a sidecar's parameters. A value is the text of its field; an empty one is not set.
import { element, prose } from "./dom.js";

const SHOWN = 6; // parameters shown without opening "more parameters"

// Fills `place` with the fields of a sidecar; `values` are texts by name. Calls `changed` after each input.
export function buildForm(place, sidecar, common, values, changed) {
  const own = Object.entries(sidecar.properties);
  const required = own.filter(([name]) => sidecar.required.includes(name));
  const optional = own.filter(([name]) => !sidecar.required.includes(name));
  const simple = optional.filter(([, schema]) => !isStructured(schema));
  const first = simple.slice(0, Math.max(SHOWN - required.length, 2)).map(([name]) => name);
  const isFirst = ([name]) => first.includes(name) || name in values;
  const make = ([name, schema]) => field(name, schema, values[name] ?? "", sidecar.required.includes(name));
  place.replaceChildren(
    ...[...required, ...optional.filter(isFirst)].map(make),
    more("More parameters", optional.filter((each) => !isFirst(each)).map(make)),
    more("Parameters of every sidecar", Object.entries(common).map(make), Object.keys(common).some((name) => name in values)),
  );
  place.oninput = changed;
}

// Returns the texts of the fields that are set, by name.
export function readForm(place) {
  const fields = [...place.querySelectorAll("[data-parameter]")].filter((one) => one.value !== "");
  return Object.fromEntries(fields.map((one) => [one.dataset.parameter, one.value]));
}

function more(title, fields, open = false) {
  if (!fields.length) return "";
  const summary = element("summary", {}, `${title} (${fields.length})`);
  return element("details", { open }, summary, element("div", { class: "fields" }, ...fields));
}

function isStructured(schema) {
  return [schema.type].flat().some((type) => type === "object" || type === "array");
}

function field(name, schema, value, required) {
  const id = `parameter-${name}`;
  const described = schema.description ? `${id}-description` : undefined;
  const input = control(schema, { id, "data-parameter": name, "aria-describedby": described, required });
  input.value = value;
  const label = element("label", { for: id }, name, required ? element("span", { class: "required" }, " required") : null);
  const description = schema.description && element("p", { id: described }, ...prose(schema.description));
  return element("div", { class: "field" }, label, input, description || null);
}

function control(schema, attributes) {
  const preset = schema.default === undefined ? "" : shownDefault(schema.default);
  const choices = schema.enum ?? (schema.type === "boolean" ? [true, false] : null);
  if (choices) {
    const empty = element("option", { value: "" }, preset === "" ? "not set" : `default: ${preset}`);
    const options = choices.filter((one) => one !== "" && one !== null).map((one) => element("option", { value: `${one}` }, `${one}`));
    return element("select", attributes, empty, ...options);
  }
  if (isStructured(schema)) {
    const hint = preset === "[]" ? "YAML list, for example [a, b]" : "YAML, for example {name: value}";
    return element("textarea", { ...attributes, rows: 1, spellcheck: "false", placeholder: /^(\[\]|\{\}|)$/.test(preset) ? hint : preset });
  }
  if (schema.lines) return element("textarea", { ...attributes, rows: 1, spellcheck: "false", autocapitalize: "off", placeholder: preset });
  const number = schema.type === "integer" || schema.type === "number";
  return element("input", {
    ...attributes,
    type: "text", // a number field would drop what is no number; sidecarctl reports it
    inputmode: number ? "numeric" : undefined,
    placeholder: preset,
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
  });
}

function shownDefault(value) {
  return typeof value === "object" ? JSON.stringify(value) : `${value}`;
}
