// Every request of the page passes through api(), which waits while the service is gone or busy,
// or needs a key.

import { anotherKey, credentials, taken } from "./key.js";

const LONGEST_PAUSE_S = 5;

/** An answer that says what is wrong with the request: `problem` is the service's problem+json. */
export class Refused extends Error {
  constructor(problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

const waiting = new Map();
let listener = () => {};

/** Call `heard` with what keeps requests waiting, and with "" when nothing does any more. */
export function onTrouble(heard) {
  listener = heard;
}

/** GET `path`, beginning with a slash; resolves to a response that is in order. */
export async function api(path, signal) {
  const request = Symbol(path);
  try {
    for (let attempt = 0; ; attempt++) {
      const sent = credentials();
      const response = await ask(path, sent.headers, signal);
      if (response?.status === 401) {
        tell(request, "");
        await anotherKey(sent, signal);
        attempt = -1;
        continue;
      }
      const answers = response && response.status !== 502 && response.status !== 503;
      if (answers) taken(sent);
      if (response?.ok) return response;
      if (answers) {
        throw new Refused(await problemOf(response));
      }
      const said = Number(response?.headers.get("Retry-After"));
      const seconds = said || Math.min(2 ** attempt, LONGEST_PAUSE_S);
      tell(request, response?.status === 503 ? "The service is busy" : "The service does not answer");
      await pause(seconds, signal);
    }
  } finally {
    tell(request, "");
  }
}

/** Resolves after some seconds; rejects when `signal` aborts. */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** The response, or null where there is none: the network or the service is gone. */
async function ask(path, headers, signal) {
  try {
    return await fetch(new URL(`.${path}`, document.baseURI), { headers, signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    return null;
  }
}

async function problemOf(response) {
  const plain = { detail: `The service answers ${response.status}.`, errors: [] };
  return { ...plain, ...(await response.json().catch(() => ({}))) };
}

function tell(request, trouble) {
  if (!trouble && !waiting.has(request)) return;
  if (trouble) waiting.set(request, trouble);
  else waiting.delete(request);
  listener([...waiting.values()].at(-1) ?? "");
}
