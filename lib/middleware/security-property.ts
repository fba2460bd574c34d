import { IncomingMessage } from 'node:http';
import type { Request } from 'express';
import type { RequestSecurity } from '../contract/security.js';

/** Reads the security object that the middleware keeps for a request. */
type Read = (req: Request) => RequestSecurity | undefined;

/**
 * The property `security` of requests. It is an accessor on the prototype that all requests of one copy of Express share,
 * because a property of its own makes every request several percent slower: Express changes the prototype of each request, and V8 then has
 * to make another hidden class for each new property. A request of another framework gets an own property.
 */
export class SecurityProperty {
  readonly #descriptor: PropertyDescriptor;
  /** The prototype of a request whose property was the accessor. */
  #provenPrototype: object | undefined;

  constructor(read: Read) {
    const isProvenPrototype = (object: object): boolean => object === this.#provenPrototype;
    this.#descriptor = {
      get(this: Request) {
        // `isInherited` asks for each request, and the lookup in all prototypes is slow
        return isProvenPrototype(this) ? undefined : read(this);
      },
      // as an assignment does that meets no accessor
      set(this: object, value: unknown) {
        Object.defineProperty(this, 'security', { value, writable: true, enumerable: true, configurable: true });
      },
      enumerable: true,
      configurable: true,
    };
  }

  /** Whether the property of this request is known to be the accessor. It may be another one if this returns `false`. */
  isInherited(req: Request): boolean {
    const prototype: Request | null = Object.getPrototypeOf(req);
    if (prototype === null || prototype !== this.#provenPrototype) return false;
    // an app may set the property on its own prototype, or on the request, at any time
    return prototype.security === undefined && !Object.hasOwn(req, 'security');
  }

  /**
   * Makes `req.security` return `security`, which `read` must return already. Returns whether it does.
   * @throws TypeError if the request is frozen, as an assignment does
   */
  place(req: Request, security: RequestSecurity): boolean {
    if (req.security !== security) this.#define(sharedPrototypeOf(req));
    if (req.security !== security) req.security = security;
    else this.#provenPrototype = Object.getPrototypeOf(req);
    return req.security === security;
  }

  #define(prototype: object | undefined): void {
    // returns false for a frozen prototype
    if (prototype && !Object.hasOwn(prototype, 'security')) {
      Reflect.defineProperty(prototype, 'security', this.#descriptor);
    }
  }
}

/** The prototype of all requests of the copy of Express that serves this one: `express.request`. Apps and their sub-apps have prototypes below it. */
function sharedPrototypeOf(req: object): object | undefined {
  let prototype: object | null = Object.getPrototypeOf(req);
  while (prototype !== null) {
    const above: object | null = Object.getPrototypeOf(prototype);
    if (above === IncomingMessage.prototype) return isOfExpress(prototype) ? prototype : undefined;
    prototype = above;
  }
  return undefined;
}

/** A framework, or the app, may have a subclass of IncomingMessage of its own. */
function isOfExpress(prototype: object): boolean {
  return Object.hasOwn(prototype, 'acceptsEncodings') && Object.hasOwn(prototype, 'get');
}
