// Sends requests to the worker. Ends a worker that does not answer in time, and starts a new one.

const START_SECONDS = 90;
const ANSWER_SECONDS = 20;

export class Runner {
  // `report` is called with a state: {state: "starting" | "ready" | "running" | "stopped" | "failed", message}.
  constructor(report) {
    this.report = report;
    this.id = 0;
    this.waiting = null; // the newest request that is not sent yet
    this.running = null; // {id, resolve}
    this.start();
  }

  start() {
    this.ready = false;
    this.report({ state: "starting" });
    const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.worker = worker;
    worker.onmessage = ({ data }) => worker === this.worker && this.receive(data);
    worker.onerror = (event) => worker === this.worker && this.fail(event.message || "cannot load worker.js");
    this.watch(START_SECONDS, `Python did not start within ${START_SECONDS} seconds. Reload the page to try again.`, false);
  }

  // Sends a request, or keeps it until the worker is free. Only the newest request is kept; its promise resolves with
  // the answer, or with null if a newer request replaces it or the worker is stopped.
  ask(request) {
    return new Promise((resolve) => {
      this.waiting?.resolve(null);
      this.waiting = { id: ++this.id, request, resolve };
      this.send();
    });
  }

  get busy() {
    return Boolean(this.running || this.waiting);
  }

  send() {
    if (!this.ready || this.running || !this.waiting) return;
    this.running = this.waiting;
    this.waiting = null;
    this.report({ state: "running" });
    const { id, request } = this.running;
    this.worker.postMessage({ id, request });
    this.watch(ANSWER_SECONDS, `Stopped: no result after ${ANSWER_SECONDS} seconds. A new Python is starting.`, true);
  }

  receive(message) {
    clearTimeout(this.timer);
    if (message.ready) {
      this.ready = true;
      this.report({ state: "ready" });
    } else if (message.failed) {
      this.fail(message.failed);
      return;
    } else if (this.running?.id === message.id) {
      const { resolve } = this.running;
      this.running = null;
      this.report({ state: "ready" });
      resolve(message.answer);
    }
    this.send();
  }

  watch(seconds, message, restart) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.stop(message, restart), seconds * 1000);
  }

  stop(message, restart) {
    clearTimeout(this.timer);
    this.worker.terminate();
    this.running?.resolve(null);
    this.running = null;
    this.ready = false;
    if (restart) this.start();
    this.report({ state: restart ? "stopped" : "failed", message });
  }

  fail(message) {
    this.stop(`The playground failed: ${message}`, false);
  }
}
