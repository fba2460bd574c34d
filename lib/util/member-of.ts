/**
 * Reads `object[name]`. Use it for own members of the request and the response, on the path of every request. Express changes the
 * prototype of both, so each has a hidden class of its own, and `req.name` misses V8's inline cache every time. An access whose
 * name varies, as here, looks own members up without that cache. It gains nothing for members of a prototype.
 */
export function memberOf<T extends object, K extends keyof T>(object: T, name: K): T[K] {
  return object[name];
}

/** Sets `object[name]`, a property that the object has already. Use it where {@link memberOf} reads. */
export function setMember<T extends object, K extends keyof T>(object: T, name: K, value: T[K]): void {
  object[name] = value;
}
