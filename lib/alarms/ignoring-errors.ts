/** Calls a logger or a listener. An alarm that cannot be delivered must not change what happens to a request. */
export function ignoringErrors(call: () => unknown): void {
  try {
    const result = call();
    if (result instanceof Promise) result.catch(() => {});
  } catch {
    // see above
  }
}
