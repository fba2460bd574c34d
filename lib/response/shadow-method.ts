type AnyFunction = (...args: never[]) => unknown;
/** The names of `T`'s methods. */
type MethodOf<T> = { [K in keyof T]-?: T[K] extends AnyFunction ? K : never }[keyof T];

/** A call of a method that somebody stands in front of. */
export interface Call {
  readonly method: PropertyKey;
  readonly args: readonly unknown[];
  /** Makes the call, now or later, and returns what it returns. */
  proceed(): unknown;
}

/** Stands in front of methods. */
export interface Front {
  /** Returns what the caller gets. */
  onCall(call: Call): unknown;
}

/** Who stands in front of a method, the last of whom is called first, and the function that makes it so. */
interface Fronted {
  fronts: readonly Front[];
  readonly shadow: (...args: readonly unknown[]) => unknown;
}

const NONE: readonly Front[] = Object.freeze([]);
const kFronted = Symbol('express-apl-session.fronted');
type FrontedObject = { [kFronted]?: Record<PropertyKey, Fronted> };

/**
 * Puts somebody in front of a method of one object. Several may stand there, and go in any order. What stays on the
 * object is an own method that leads to the one it had: taking a property off an object makes everything slow that is
 * done with it later, and this is done to connections, which live long.
 */
export function shadowMethod<T extends object>(object: T, method: MethodOf<T>, front: Front): void {
  const fronted = frontedMethod(object, method);
  // unlike a spread, this reserves no room for more
  fronted.fronts = fronted.fronts.concat(front);
}

/** Takes away again what `shadowMethod` has put there. */
export function unshadowMethod<T extends object>(object: T, method: MethodOf<T>, front: Front): void {
  const fronted = (object as FrontedObject)[kFronted]?.[method];
  if (!fronted) return;
  const left = fronted.fronts.filter((other) => other !== front);
  fronted.fronts = left.length > 0 ? left : NONE;
}

function frontedMethod<T extends object>(object: T, method: MethodOf<T>): Fronted {
  const holder = object as FrontedObject;
  holder[kFronted] ??= {};
  const known = holder[kFronted][method];
  // somebody may have put back what they found before us
  if (known && (known.fronts.length > 0 || object[method] === known.shadow)) return known;
  const own = (object[method] as (...args: readonly unknown[]) => unknown).bind(object);
  const fronted: Fronted = {
    fronts: NONE,
    shadow: (...args) => {
      const call = fronted.fronts.reduce<() => unknown>(
        (proceed, front) => () => front.onCall({ method, args, proceed }),
        () => own(...args),
      );
      return call();
    },
  };
  object[method] = fronted.shadow as T[MethodOf<T>];
  holder[kFronted][method] = fronted;
  return fronted;
}
