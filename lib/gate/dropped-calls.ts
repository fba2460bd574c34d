import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { attempt } from '../node/connection.js';
import { OpenPipes } from '../node/open-pipes.js';
import { fixValue, type HeaderWriter, type NodeResponse } from '../node/server-response.js';
import { clearTimeout, nextTick, setTimeout } from '../util/clock.js';

type Listener = (...args: unknown[]) => void;

/** What they return when they are accepted: the response, or nothing. */
const CHAINING = ['setHeader', 'setHeaders', 'appendHeader', 'writeHead', 'writeHeader'];
const SILENT = [
  'removeHeader',
  'addTrailers',
  'flushHeaders',
  // what is corked must come out, so uncork() is Node's
  'cork',
  'writeContinue',
  'writeProcessing',
  'writeEarlyHints',
  'writeInformation',
];

/** How long a source that is piped into a refused response may go on. */
const LIMIT_MS = 2_000;

/**
 * Accepts and drops whatever is still done to a response that was refused. A handler often cannot stop its framework from
 * answering, so nothing throws, callbacks are called, and pipes are read to their end. Flags and events are those of the
 * refusal. The methods that wrappers have kept still reach Node, as they end the response properly.
 */
export class DroppedCalls {
  /** Still sets the headers of the response. */
  readonly headers: HeaderWriter;
  readonly #res: NodeResponse;
  readonly #emit: NodeResponse['emit'];
  readonly #end: () => unknown;
  readonly #pipes: OpenPipes;
  #ends: boolean;
  /** Runs if `close` is put off. */
  #limit: NodeJS.Timeout | undefined;

  /** @param ends whether all who wrap the response were told that it ends */
  constructor(res: NodeResponse, ends: boolean) {
    this.#ends = ends;
    this.#res = res;
    this.#emit = res.emit;
    this.#end = res.end.bind(res);
    this.headers = { setHeader: res.setHeader.bind(res), removeHeader: res.removeHeader.bind(res) };
    this.#pipes = new OpenPipes(res, () => this.#close());
    for (const name of CHAINING) replace(res, name, (...args) => called(args, res));
    for (const name of SILENT) replace(res, name, (...args) => called(args, undefined));
    replace(res, 'write', (...args) => called(args, true));
    replace(res, 'end', (...args) => this.#onEnd(args));
    replace(res, 'destroy', () => this.#onEnd([]));
    replace(res, 'emit', (...args) => this.#onEvent(args as Parameters<NodeResponse['emit']>));
    // what was written before may have asked its producer to wait
    if (res.listenerCount('drain') > 0) nextTick(() => res.emit('drain'));
    fixValue(res, 'statusCode', res.statusCode);
    fixValue(res, 'statusMessage', res.statusMessage);
    keepConnection(res.req);
  }

  /** Whether the response has ended, or is about to: some wrappers end it later, when they have saved a session for example. */
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
    // to a source that is not at its end, this would be an error
    if (event === 'close' && this.#pipes.any) {
      this.#limit ??= setTimeout(() => this.#close(true), LIMIT_MS).unref();
      return true;
    }
    // a wrapper may still write what it has kept
    if (event === 'error' && this.#res.listenerCount('error') === 0) return false;
    return emit();
  }

  /** Emits a `close` that was put off, once there is no reason to wait any more. */
  #close(whatever = false): void {
    if (this.#limit === undefined || (this.#pipes.any && !whatever)) return;
    clearTimeout(this.#limit);
    this.#limit = undefined;
    nextTick(() => this.#emit.call(this.#res, 'close'));
  }
}

/** Puts a method in front of all that wrap it; one that cannot be replaced stays. */
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

/** Calls back when the refusal was sent, or its connection is gone. */
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

/** By these a framework ends the connection of an answer that it cannot give any more. */
const ENDS: ReadonlySet<PropertyKey> = new Set(['destroy', 'destroySoon', 'end', 'resetAndDestroy']);

/**
 * Makes the connection survive what is done to it by way of this request: it may serve the next one by then. Express
 * destroys it when a handler throws after it has answered. A request that is aborted while its body comes in still ends
 * it.
 */
function keepConnection(req: IncomingMessage): void {
  const { socket } = req;
  if (!socket) return;
  const kept: Socket = new Proxy(socket, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      if (ENDS.has(name) && (req.complete || !req.aborted)) return () => kept;
      const isFixed = Reflect.getOwnPropertyDescriptor(target, name)?.configurable === false;
      return isFixed ? value : value.bind(target);
    },
    set: (target, name, value) => Reflect.set(target, name, value),
  });
  Reflect.set(req, 'socket', kept);
}
