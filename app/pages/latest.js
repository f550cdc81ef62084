// Work of which only the latest counts.

/** `work(signal, ...given)` as a function of `given`: each call aborts the one before. */
export function latest(work) {
  let controller = new AbortController();
  return async (...given) => {
    controller.abort();
    controller = new AbortController();
    const { signal } = controller;
    try {
      await work(signal, ...given);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  };
}
