type AnyFunction = (...args: never[]) => unknown;
/** The names of `T`'s methods. */
type MethodOf<T> = { [K in keyof T]-?: T[K] extends AnyFunction ? K : never }[keyof T];

/** What stands in front of a method, the last of which is called first, and the function that makes it so. */
interface Fronted {
  fronts: ReadonlyArray<(behind: AnyFunction) => AnyFunction>;
  readonly shadow: AnyFunction;
}

const kFronted = Symbol('express-apl-session.fronted');
type FrontedObject = { [kFronted]?: Record<PropertyKey, Fronted> };

/**
 * Puts a function in front of a method of one object; `front` gets what is behind it. The function that is returned
 * takes it away again. Several may overlap, in any order. What stays on the object is an own method that leads to the
 * one it had: taking a property off an object makes everything slow that is done with it later, and this is done to
 * connections, which live long.
 */
export function shadowMethod<T extends object, K extends MethodOf<T>>(
  object: T,
  name: K,
  front: (behind: T[K]) => T[K],
): () => void {
  const method = fronted(object, name);
  const own = front as unknown as Fronted['fronts'][number];
  // unlike a spread, this reserves no room for more
  method.fronts = method.fronts.concat(own);
  return () => {
    method.fronts = method.fronts.filter((other) => other !== own);
  };
}

function fronted<T extends object, K extends MethodOf<T>>(object: T, name: K): Fronted {
  const holder = object as FrontedObject;
  holder[kFronted] ??= {};
  const known = holder[kFronted][name];
  // somebody may have put back what they found before us
  if (known && (known.fronts.length > 0 || object[name] === known.shadow)) return known;
  const original = (object[name] as AnyFunction).bind(object);
  const method: Fronted = {
    fronts: [],
    shadow: (...args) => method.fronts.reduce((behind, front) => front(behind), original)(...args),
  };
  object[name] = method.shadow as T[K];
  holder[kFronted][name] = method;
  return method;
}
