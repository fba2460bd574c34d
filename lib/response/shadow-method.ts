/** The names of `T`'s methods. */
type MethodOf<T> = { [K in keyof T]-?: T[K] extends (...args: never[]) => unknown ? K : never }[keyof T];

/**
 * Puts a function in front of a method of one object. `front` gets the method as it was, bound to the object. The
 * function that is returned takes it away again; if somebody else has put theirs on top, it stays and passes everything on.
 */
export function shadowMethod<T extends object, K extends MethodOf<T>>(
  object: T,
  name: K,
  front: (original: T[K]) => T[K],
): () => void {
  const own = Object.getOwnPropertyDescriptor(object, name);
  const original = (object[name] as (...args: never[]) => unknown).bind(object) as T[K];
  const fronted = front(original) as (...args: never[]) => unknown;
  let over = false;
  const shadow = ((...args: never[]) =>
    over ? (original as (...args: never[]) => unknown)(...args) : fronted(...args)) as T[K];
  object[name] = shadow;
  return () => {
    over = true;
    if (object[name] !== shadow) return;
    if (own) Object.defineProperty(object, name, own);
    else Reflect.deleteProperty(object, name);
  };
}
