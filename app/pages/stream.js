// Names as they are drawn. A stream that is cut off goes on after the last name that came.

import { api, pause, Refused } from "./api.js";

/**
 * Yields first {seed, fingerprint, safe_list}, then {name, index} each, and last {end, next_offset}.
 * @param parameters URLSearchParams of /generate/stream, with n
 */
export async function* drawNames(parameters, signal) {
  const rest = new URLSearchParams(parameters);
  let about = null;
  while (true) {
    const response = await api(`/generate/stream?${rest}`, signal);
    const said = (name) => response.headers.get(`X-Namewright-${name}`);
    const [fingerprint, safe_list] = [said("Fingerprint"), said("Safe-List")];
    if (!about) {
      about = { seed: rest.get("seed") ?? said("Seed"), fingerprint, safe_list };
      rest.set("seed", about.seed);
      yield about;
    } else if (about.fingerprint !== fingerprint || about.safe_list !== safe_list) {
      const what = about.fingerprint === fingerprint ? "list of offensive words" : "model";
      throw new Refused({ detail: `The ${what} has changed meanwhile; draw again.`, errors: [] });
    }
    for await (const line of untilCutOff(response.body, signal)) {
      if (line.end === "error") throw new Refused(line.error);
      rest.set("offset", line.next_offset ?? line.index + 1);
      if ("name" in line) rest.set("n", rest.get("n") - 1);
      if (line.end !== "stopping") yield line;
      if (line.end === "complete" || line.end === "exhausted") return;
    }
    if (rest.get("n") === "0") {
      yield { end: "complete", next_offset: Number(rest.get("offset")) };
      return;
    }
    await pause(0.5, signal);
  }
}

/** The JSON objects of a body, a line each, as far as it came. */
async function* untilCutOff(body, signal) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (text + value).split("\n");
      text = lines.pop();
      yield* lines.map((line) => JSON.parse(line));
    }
  } catch (error) {
    if (signal.aborted || !(error instanceof TypeError)) throw error;
  }
}
