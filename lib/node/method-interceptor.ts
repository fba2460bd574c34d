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

/** Who stands in front of an object's methods, the last of whom is called first, and the functions that make it so. */
interface Fronted {
  fronts: readonly Front[];
  readonly shadows: Record<PropertyKey, unknown>;
}

const NONE: readonly Front[] = Object.freeze([]);
const kFronted = Symbol('express-apl-session.fronted');
type FrontedObject = { [kFronted]?: Fronted };

/**
 * Puts somebody in front of methods of one object: of these, and of those in front of which others stand. Fronts may go in any order. What stays on
 * the object are own methods that lead to those it had: taking a property off an object makes everything slow that is
 * done with it later, and this is done to connections, which live long.
 */
export function shadowMethods<T extends object>(object: T, methods: ReadonlyArray<MethodOf<T>>, front: Front): void {
  const holder = object as FrontedObject;
  holder[kFronted] ??= { fronts: NONE, shadows: {} };
  const fronted = holder[kFronted];
  for (const method of methods) {
    const shadow = fronted.shadows[method];
    // what stands for a socket may lack one, and must not seem to have it
    if (typeof object[method] !== 'function') continue;
    // somebody may have put back what they found before us
    if (!shadow || (fronted.fronts.length === 0 && object[method] !== shadow)) shadowMethod(object, method, fronted);
  }
  // unlike a spread, this reserves no room for more
  fronted.fronts = fronted.fronts.concat(front);
}

/** Takes away again what `shadowMethods` has put there. */
export function unshadowMethods(object: object, front: Front): void {
  const fronted = (object as FrontedObject)[kFronted];
  if (!fronted) return;
  const left = fronted.fronts.filter((other) => other !== front);
  fronted.fronts = left.length > 0 ? left : NONE;
}

/** Takes away everybody who stands in front of an object's methods. */
export function unshadowAll(object: object): void {
  const fronted = (object as FrontedObject)[kFronted];
  if (fronted) fronted.fronts = NONE;
}

function shadowMethod<T extends object>(object: T, method: MethodOf<T>, fronted: Fronted): void {
  const own = object[method] as (...args: readonly unknown[]) => unknown;
  const shadow = (...args: readonly unknown[]): unknown => {
    const call = fronted.fronts.reduce<() => unknown>(
      // a call that proceeds later meets only those who still stand there
      (proceed, front) => () => (fronted.fronts.includes(front) ? front.onCall({ method, args, proceed }) : proceed()),
      () => Reflect.apply(own, object, args),
    );
    return call();
  };
  object[method] = shadow as T[MethodOf<T>];
  fronted.shadows[method] = shadow;
}
