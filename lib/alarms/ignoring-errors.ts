/** Calls a logger, a listener or a store. An alarm that cannot be delivered must not change what happens to a request. */
export function ignoringErrors<T>(call: () => T): T | undefined {
  try {
    const result = call();
    if (result instanceof Promise) result.catch(() => {});
    return result;
  } catch {
    return undefined;
  }
}
