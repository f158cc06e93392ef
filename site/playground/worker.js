// Runs sidecarctl with Pyodide. Receives {id, request}; sends {ready}, {id, answer}, or {failed}.
import { loadPyodide } from "./pyodide/pyodide.mjs";

const SITE_PACKAGES = "/lib/python3.14/site-packages";

async function fetchBytes(name) {
  const response = await fetch(new URL(name, import.meta.url));
  if (!response.ok) throw new Error(`cannot load ${name}: HTTP ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function start() {
  const files = Promise.all([fetchBytes("package.zip"), fetchBytes("bridge.py")]);
  const python = await loadPyodide({ indexURL: new URL("pyodide/", import.meta.url).href });
  const [archive, bridge] = await files;
  python.unpackArchive(archive, "zip", { extractDir: SITE_PACKAGES });
  python.FS.writeFile(`${SITE_PACKAGES}/bridge.py`, bridge);
  return python.pyimport("bridge").apply;
}

const starting = start();
starting.then(
  () => postMessage({ ready: true }),
  (error) => postMessage({ failed: String(error.message ?? error) }),
);

onmessage = async ({ data }) => {
  try {
    const apply = await starting;
    postMessage({ id: data.id, answer: JSON.parse(apply(JSON.stringify(data.request))) });
  } catch (error) {
    postMessage({ id: data.id, failed: String(error.message ?? error) });
  }
};
