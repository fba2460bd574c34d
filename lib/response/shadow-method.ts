type AnyFunction = (...args: never[]) => unknown;
/** The names of `T`'s methods. */
type MethodOf<T> = { [K in keyof T]-?: T[K] extends AnyFunction ? K : never }[keyof T];

/** Stands in front of a method. */
export interface Front<M> {
  /** What is called in the method's place. */
  inFrontOf(behind: M): M;
}

/** What stands in front of a method, the last of which is called first, and the function that makes it so. */
interface Fronted {
  fronts: ReadonlyArray<Front<AnyFunction>>;
  readonly shadow: AnyFunction;
}

const NONE: Fronted['fronts'] = Object.freeze([]);
const kFronted = Symbol('express-apl-session.fronted');
type FrontedObject = { [kFronted]?: Record<PropertyKey, Fronted> };

/**
 * Puts an object in front of a method of another one. Several may stand there, and go in any order. What stays on the
 * object is an own method that leads to the one it had: taking a property off an object makes everything slow that is
 * done with it later, and this is done to connections, which live long.
 */
export function shadowMethod<T extends object, K extends MethodOf<T>>(object: T, name: K, front: Front<T[K]>): void {
  const method = fronted(object, name);
  // unlike a spread, this reserves no room for more
  method.fronts = method.fronts.concat(front as unknown as Front<AnyFunction>);
}

/** Takes away again what `shadowMethod` has put there. */
export function unshadowMethod<T extends object, K extends MethodOf<T>>(object: T, name: K, front: Front<T[K]>): void {
  const method = (object as FrontedObject)[kFronted]?.[name];
  if (!method) return;
  const left = method.fronts.filter((other) => other !== (front as unknown));
  method.fronts = left.length > 0 ? left : NONE;
}

function fronted<T extends object, K extends MethodOf<T>>(object: T, name: K): Fronted {
  const holder = object as FrontedObject;
  holder[kFronted] ??= {};
  const known = holder[kFronted][name];
  // somebody may have put back what they found before us
  if (known && (known.fronts.length > 0 || object[name] === known.shadow)) return known;
  const original = (object[name] as AnyFunction).bind(object);
  const method: Fronted = {
    fronts: NONE,
    shadow: (...args) => method.fronts.reduce((behind, front) => front.inFrontOf(behind), original)(...args),
  };
  object[name] = method.shadow as T[K];
  holder[kFronted][name] = method;
  return method;
}
