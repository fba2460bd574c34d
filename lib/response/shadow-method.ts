type AnyFunction = (...args: never[]) => unknown;
/** The names of `T`'s methods. */
type MethodOf<T> = { [K in keyof T]-?: T[K] extends AnyFunction ? K : never }[keyof T];

/** What stands in front of a method, the last of which is called first, and the function that makes it so. */
interface Fronted {
  readonly fronts: Array<(behind: AnyFunction) => AnyFunction>;
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
  const { fronts } = fronted(object, name);
  const own = front as unknown as Fronted['fronts'][number];
  fronts.push(own);
  return () => {
    const index = fronts.lastIndexOf(own);
    if (index >= 0) fronts.splice(index, 1);
  };
}

function fronted<T extends object, K extends MethodOf<T>>(object: T, name: K): Fronted {
  const holder = object as FrontedObject;
  holder[kFronted] ??= {};
  const known = holder[kFronted][name];
  // somebody may have put back what they found before us
  if (known && (known.fronts.length > 0 || object[name] === known.shadow)) return known;
  const fronts: Fronted['fronts'] = [];
  const original = (object[name] as AnyFunction).bind(object);
  const behind = (count: number): AnyFunction => fronts[count - 1]?.(behind(count - 1)) ?? original;
  const shadow: AnyFunction = (...args) => behind(fronts.length)(...args);
  object[name] = shadow as T[K];
  holder[kFronted][name] = { fronts, shadow };
  return holder[kFronted][name];
}
