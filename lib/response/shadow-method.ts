/** The names of `T`'s methods. */
type MethodOf<T> = { [K in keyof T]-?: T[K] extends (...args: never[]) => unknown ? K : never }[keyof T];

type AnyFunction = (...args: never[]) => unknown;

const kBelow = Symbol('express-apl-session.below');
/** A shadow that is taken away remembers what was below it, for those on top of it. */
type Shadow = AnyFunction & { [kBelow]?: { readonly own: PropertyDescriptor | undefined } };

/**
 * Puts a function in front of a method of one object. `front` gets the method as it was, bound to the object. The
 * function that is returned takes it away again; if another one was put on top since, it stays until that is taken away, and
 * passes everything on.
 */
export function shadowMethod<T extends object, K extends MethodOf<T>>(
  object: T,
  name: K,
  front: (original: T[K]) => T[K],
): () => void {
  const own = Object.getOwnPropertyDescriptor(object, name);
  const original = (object[name] as AnyFunction).bind(object);
  const fronted = front(original as T[K]) as AnyFunction;
  const shadow: Shadow = (...args) => (shadow[kBelow] ? original(...args) : fronted(...args));
  object[name] = shadow as T[K];
  return () => {
    shadow[kBelow] = { own };
    if (object[name] !== shadow) return;
    let below = own;
    for (
      let taken = (below?.value as Shadow | undefined)?.[kBelow];
      taken;
      taken = (below?.value as Shadow)?.[kBelow]
    ) {
      below = taken.own;
    }
    if (below) Object.defineProperty(object, name, below);
    else Reflect.deleteProperty(object, name);
  };
}
