type AnyFunction = (...args: never[]) => unknown;
/** The names of `T`'s methods. */
type MethodOf<T> = { [K in keyof T]-?: T[K] extends AnyFunction ? K : never }[keyof T];

/** A method with functions in front of it, the last of which is called first. */
interface Fronted {
  readonly fronts: Array<(next: AnyFunction) => AnyFunction>;
  readonly takeAway: () => void;
}

const kFronted = Symbol('express-apl-session.fronted');
type FrontedObject = { [kFronted]?: Map<PropertyKey, Fronted> };

/**
 * Puts a function in front of a method of one object; `front` gets what is behind it. The function that is returned
 * takes it away again. Several may overlap, in any order; when the last one is gone, so is every trace, unless
 * somebody else has put theirs on top.
 */
export function shadowMethod<T extends object, K extends MethodOf<T>>(
  object: T,
  name: K,
  front: (behind: T[K]) => T[K],
): () => void {
  const holder = object as FrontedObject;
  holder[kFronted] ??= new Map();
  const methods = holder[kFronted];
  const fronted = methods.get(name) ?? frontedMethod(object, name);
  methods.set(name, fronted);
  const own = front as unknown as Fronted['fronts'][number];
  fronted.fronts.push(own);
  return () => {
    const index = fronted.fronts.lastIndexOf(own);
    if (index < 0) return;
    fronted.fronts.splice(index, 1);
    if (fronted.fronts.length > 0) return;
    methods.delete(name);
    if (methods.size === 0) delete holder[kFronted];
    fronted.takeAway();
  };
}

function frontedMethod<T extends object, K extends MethodOf<T>>(object: T, name: K): Fronted {
  const own = Object.getOwnPropertyDescriptor(object, name);
  const original = (object[name] as AnyFunction).bind(object);
  const fronts: Fronted['fronts'] = [];
  const behind = (count: number): AnyFunction => fronts[count - 1]?.(behind(count - 1)) ?? original;
  const shadow: AnyFunction = (...args) => behind(fronts.length)(...args);
  object[name] = shadow as T[K];
  const takeAway = (): void => {
    if (object[name] !== shadow) return;
    if (own) Object.defineProperty(object, name, own);
    else Reflect.deleteProperty(object, name);
  };
  return { fronts, takeAway };
}
