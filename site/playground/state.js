// The state of the page in the fragment of its URL: JSON, compressed, in base64url.

const LONGEST_LINK = 32_000; // characters of a fragment
const LONGEST_STATE = 400_000; // characters of JSON
const LONGEST_TEXT = 200_000;
const LONGEST_FIELD = 20_000;
const MOST_FIELDS = 200;

export class StateError extends Error {}

// Returns the fragment of a state, or "" if it is too long for a link.
export async function encodeState(state) {
  const bytes = await pump(new TextEncoder().encode(JSON.stringify(state)), new CompressionStream("deflate-raw"));
  const text = btoa(bytes.reduce((all, byte) => all + String.fromCharCode(byte), ""));
  const fragment = `#s=${text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
  return fragment.length > LONGEST_LINK ? "" : fragment;
}

// Returns the state of a fragment, or null if there is none. Throws a StateError for anything but a state.
export async function decodeState(fragment) {
  if (!fragment.startsWith("#s=")) return null;
  if (fragment.length > LONGEST_LINK) throw new StateError("the link is too long");
  const coded = /^#s=([A-Za-z0-9_-]+)$/.exec(fragment);
  if (!coded) throw new StateError("the link is damaged");
  let value;
  try {
    const bytes = Uint8Array.from(atob(coded[1].replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    const text = await pump(bytes, new DecompressionStream("deflate-raw"), LONGEST_STATE);
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text));
  } catch {
    throw new StateError("the link is damaged");
  }
  return checkState(value);
}

function checkState(value) {
  const text = (one, longest) => {
    if (one === undefined) return "";
    if (typeof one !== "string" || one.length > longest) throw new StateError("the link has an invalid value");
    return one;
  };
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new StateError("the link is damaged");
  const parameters = Object.entries(value.parameters ?? {});
  if (parameters.length > MOST_FIELDS) throw new StateError("the link has too many parameters");
  return {
    example: text(value.example, 100),
    manifest: value.manifest === undefined ? undefined : text(value.manifest, LONGEST_TEXT),
    sidecar: text(value.sidecar, 100),
    parameters: Object.fromEntries(parameters.map(([name, one]) => [name, text(one, LONGEST_FIELD)])),
    container: text(value.container, 300),
    kubeVersion: text(value.kubeVersion, 10),
    retarget: value.retarget === true,
  };
}

// Returns the output of a stream; fails if it is longer than `most` bytes.
async function pump(bytes, stream, most = Infinity) {
  const parts = [];
  let length = 0;
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    length += part.value.length;
    if (length > most) {
      await reader.cancel();
      throw new StateError("the link is too long");
    }
    parts.push(part.value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
