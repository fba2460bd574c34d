import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { attempt } from '../node/connection.js';
import {
  CHAINING_METHODS,
  fixValue,
  type HeaderWriter,
  type NodeResponse,
  VOID_METHODS,
} from '../node/node-response.js';
import { OpenPipes } from '../node/open-pipes.js';
import { clearTimeout, nextTick, setTimeout } from '../util/clock.js';

type Listener = (...args: unknown[]) => void;

/** How long a source that is piped into a refused response may defer `close`. */
const LIMIT_MS = 2_000;

/**
 * Accepts and drops all later calls on a refused response. A handler often cannot stop its framework from answering, so no
 * call throws, callbacks are called, and piped sources are read to their end. Flags and events belong to the denial.
 * Methods that wrappers saved before still reach Node, because they end the response in the right way.
 */
export class DroppedCalls {
  /** The header methods of Node, for setting the headers of the denial. */
  readonly headers: HeaderWriter;
  readonly #res: NodeResponse;
  readonly #emit: NodeResponse['emit'];
  readonly #end: () => unknown;
  readonly #pipes: OpenPipes;
  #ends: boolean;
  /** Runs while `close` is deferred. */
  #limit: NodeJS.Timeout | undefined;

  /** @param ends whether the wrappers of the response have seen its end */
  constructor(res: NodeResponse, ends: boolean) {
    this.#ends = ends;
    this.#res = res;
    this.#emit = res.emit;
    this.#end = res.end.bind(res);
    this.headers = { setHeader: res.setHeader.bind(res), removeHeader: res.removeHeader.bind(res) };
    this.#pipes = new OpenPipes(res, () => this.#close());
    for (const name of CHAINING_METHODS) replace(res, name, (...args) => called(args, res));
    for (const name of VOID_METHODS) replace(res, name, (...args) => called(args, undefined));
    replace(res, 'write', (...args) => called(args, true));
    replace(res, 'end', (...args) => this.#onEnd(args));
    replace(res, 'destroy', () => this.#onEnd([]));
    replace(res, 'emit', (...args) => this.#onEvent(args as Parameters<NodeResponse['emit']>));
    // an earlier write may have asked its producer to wait for `drain`
    if (res.listenerCount('drain') > 0) nextTick(() => res.emit('drain'));
    fixValue(res, 'statusCode', res.statusCode);
    fixValue(res, 'statusMessage', res.statusMessage);
    keepConnection(res.req);
  }

  /** Whether the response has ended, or is about to end: some wrappers end it later, after saving a session for example. */
  get ends(): boolean {
    return this.#ends || this.#res.writableEnded;
  }

  #onEnd(args: readonly unknown[]): NodeResponse {
    const res = this.#res;
    if (!this.ends) {
      this.#ends = true;
      attempt(this.#end);
    }
    this.#close(true);
    const callback = callbackOf(args);
    if (callback) onceSent(res, callback);
    return res;
  }

  #onEvent([event, ...args]: Parameters<NodeResponse['emit']>): boolean {
    const emit = (): boolean => this.#emit.call(this.#res, event, ...args);
    if (event === 'finish') return this.#pipes.survive(emit);
    // a source that has not ended would take `close` for an error
    if (event === 'close' && this.#pipes.any) {
      this.#limit ??= setTimeout(() => {
        this.#pipes.stop();
        this.#close(true);
      }, LIMIT_MS).unref();
      return true;
    }
    // a wrapper may still write its buffered output, and an error without a listener ends the process
    if (event === 'error' && this.#res.listenerCount('error') === 0) return false;
    return emit();
  }

  /** Emits the deferred `close` once no pipe is open. */
  #close(evenIfPiped = false): void {
    if (this.#limit === undefined || (this.#pipes.any && !evenIfPiped)) return;
    clearTimeout(this.#limit);
    this.#limit = undefined;
    nextTick(() => this.#emit.call(this.#res, 'close'));
  }
}

/** Replaces a method and all of its wrappers. A method that cannot be replaced stays. */
function replace(res: NodeResponse, name: string, method: (...args: unknown[]) => unknown): void {
  if (name in res) Reflect.defineProperty(res, name, { value: method, writable: true, configurable: true });
}

function called<T>(args: readonly unknown[], answer: T): T {
  const callback = callbackOf(args);
  if (callback) nextTick(callback);
  return answer;
}

function callbackOf(args: readonly unknown[]): Listener | undefined {
  return args.find((arg) => typeof arg === 'function') as Listener | undefined;
}

/** Calls back when the denial was sent, or the connection has closed. */
function onceSent(res: NodeResponse, callback: Listener): void {
  if (res.writableFinished || res.closed) {
    nextTick(callback);
    return;
  }
  const settled = (): void => {
    res.off('finish', settled);
    res.off('close', settled);
    callback();
  };
  res.on('finish', settled);
  res.on('close', settled);
}

/** Methods with which a framework ends the connection of a response that it can no longer send. */
const ENDS: ReadonlySet<PropertyKey> = new Set(['destroy', 'destroySoon', 'end', 'resetAndDestroy']);

/**
 * Ignores calls that end the connection through `req.socket`, because the connection may serve the next request by then.
 * Express makes such a call when a handler throws after it has answered. A request that is aborted while its body arrives
 * still ends the connection.
 */
function keepConnection(req: IncomingMessage): void {
  const { socket } = req;
  if (!socket) return;
  const guarded: Socket = new Proxy(socket, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      if (ENDS.has(name) && (req.complete || !req.aborted)) return () => guarded;
      const isFixed = Reflect.getOwnPropertyDescriptor(target, name)?.configurable === false;
      return isFixed ? value : value.bind(target);
    },
    set: (target, name, value) => Reflect.set(target, name, value),
  });
  Reflect.set(req, 'socket', guarded);
}
