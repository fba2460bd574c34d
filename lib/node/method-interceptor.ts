type AnyFunction = (...args: never[]) => unknown;
/** The names of `T`'s methods. */
type MethodOf<T> = { [K in keyof T]-?: T[K] extends AnyFunction ? K : never }[keyof T];

/** A call of an intercepted method. */
export interface Call {
  readonly method: PropertyKey;
  readonly args: readonly unknown[];
  /** Calls the next interceptor, or the method itself, now or later. Returns the result of that call. */
  proceed(): unknown;
}

export interface Interceptor {
  /** Returns the result for the caller. */
  onCall(call: Call): unknown;
}

/** The interceptors of one object, the last of which is called first, and the wrappers that call them. */
interface Interception {
  interceptors: readonly Interceptor[];
  readonly wrappers: Record<PropertyKey, unknown>;
}

const NO_INTERCEPTORS: readonly Interceptor[] = Object.freeze([]);
const kInterception = Symbol('express-apl-session.interception');
type InterceptedObject = { [kInterception]?: Interception };

/**
 * Intercepts methods of one object. Interceptors can be removed in any order. The wrappers stay on the object, because V8
 * makes an object slow when a property is deleted, and connections live long.
 */
export function interceptMethods<T extends object>(
  object: T,
  methods: ReadonlyArray<MethodOf<T>>,
  interceptor: Interceptor,
): void {
  const holder = object as InterceptedObject;
  holder[kInterception] ??= { interceptors: NO_INTERCEPTORS, wrappers: {} };
  const interception = holder[kInterception];
  for (const method of methods) {
    // an object that only looks like a socket may lack a method, and must not seem to have it
    if (typeof object[method] !== 'function') continue;
    const wrapper = interception.wrappers[method];
    // other code may have put an earlier method back
    const isReplaced = interception.interceptors.length === 0 && object[method] !== wrapper;
    if (!wrapper || isReplaced) wrapMethod(object, method, interception);
  }
  const { interceptors } = interception;
  interception.interceptors = interceptors.length === 0 ? [interceptor] : interceptors.concat(interceptor);
}

export function removeInterceptor(object: object, interceptor: Interceptor): void {
  const interception = (object as InterceptedObject)[kInterception];
  if (!interception) return;
  const { interceptors } = interception;
  const isOnlyOne = interceptors.length === 1 && interceptors[0] === interceptor;
  interception.interceptors = isOnlyOne ? NO_INTERCEPTORS : interceptors.filter((other) => other !== interceptor);
}

export function removeAllInterceptors(object: object): void {
  const interception = (object as InterceptedObject)[kInterception];
  if (interception) interception.interceptors = NO_INTERCEPTORS;
}

function wrapMethod<T extends object>(object: T, method: MethodOf<T>, interception: Interception): void {
  const original = object[method] as (...args: readonly unknown[]) => unknown;
  const wrapper = (...args: readonly unknown[]): unknown => {
    const call = interception.interceptors.reduce<() => unknown>(
      // a call that proceeds later skips the interceptors that were removed meanwhile
      (proceed, interceptor) => () =>
        interception.interceptors.includes(interceptor) ? interceptor.onCall({ method, args, proceed }) : proceed(),
      () => Reflect.apply(original, object, args),
    );
    return call();
  };
  object[method] = wrapper as T[MethodOf<T>];
  interception.wrappers[method] = wrapper;
}
