import type { Response } from 'express';
import { nextTick } from '../util/clock.js';

/** Sees the JSON bodies of a response. */
export interface JsonListener {
  /** Whether the response is still the answer of the app, and no denial. */
  isOpen(): boolean;
  /**
   * Returns the text to send in place of a complete JSON text.
   * @param head what `writeHead()` has set, if it was called
   */
  onText(text: string, head?: GivenHead): string;
}

/** A header section that was given to `writeHead()`, and that the response does not show yet. */
export interface GivenHead {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
}

type Args = readonly unknown[];
type Call = (args: Args) => unknown;
type Callback = () => void;
type Head = Readonly<Record<string, unknown>>;

/** These describe the text that must not leave. Node refuses trailers of a body with a length. */
const STALE = ['Transfer-Encoding', 'Trailer', 'ETag', 'Content-MD5', 'Digest', 'Content-Digest', 'Repr-Digest'];

/** Larger bodies are not collected, so they leave unseen. */
const MOST_BYTES = 1_000_000;

/**
 * Collects a JSON body that is sent by `writeHead()`, `write()` and `end()`, as the MCP SDK does, and has it checked at its end.
 * Without a change, the calls are repeated as they were made.
 */
export function interceptEnd(res: Response, listener: JsonListener, isJson: (type: unknown) => boolean): void {
  const body = new CollectedBody(res, listener, isJson);
  const { writeHead, write, end, flushHeaders } = res;
  const own = res as unknown as Record<string, (...args: unknown[]) => unknown>;
  own['writeHead'] = (...args) => body.writeHead(args, (made) => Reflect.apply(writeHead, res, made));
  own['write'] = (...args) => body.write(args, (made) => Reflect.apply(write, res, made));
  own['end'] = (...args) => body.end(args, (made) => Reflect.apply(end, res, made));
  own['flushHeaders'] = () => {
    body.giveUp();
    flushHeaders.call(res);
  };
}

class CollectedBody {
  readonly #res: Response;
  readonly #listener: JsonListener;
  readonly #isJson: (type: unknown) => boolean;
  #isCollecting = false;
  /** Set once a call was passed on. Node then calls `writeHead()` by itself, which must not be kept. */
  #isOver = false;
  /** The arguments of `writeHead()`. */
  #head: Args = [];
  #chunks: Buffer[] = [];
  #bytes = 0;
  #callbacks: Callback[] = [];
  /** The calls that were not made yet. */
  #calls: Array<() => unknown> = [];

  constructor(res: Response, listener: JsonListener, isJson: (type: unknown) => boolean) {
    this.#res = res;
    this.#listener = listener;
    this.#isJson = isJson;
  }

  writeHead(args: Args, proceed: Call): unknown {
    if (this.#isCollecting) this.giveUp();
    else if (this.#begins(args)) {
      this.#head = args;
      this.#calls.push(() => proceed(args));
      return this.#res;
    }
    return proceed(args);
  }

  write(args: Args, proceed: Call): unknown {
    if (!this.#isCollecting && !this.#begins([])) return this.#pass(args, proceed);
    const kept = this.#take(args);
    this.#calls.push(() => proceed(kept));
    return this.#bytes > MOST_BYTES ? this.giveUp() : true;
  }

  end(args: Args, proceed: Call): unknown {
    if (!this.#isCollecting && !this.#begins([])) return this.#pass(args, proceed);
    this.#take(args);
    this.#isCollecting = false;
    this.#isOver = true;
    const text = Buffer.concat(this.#chunks).toString('utf8');
    // a response without a body has no result
    const sent = this.#bytes === 0 ? text : this.#listener.onText(text, givenHead(this.#head));
    if (sent === text) {
      this.giveUp();
      return proceed(args);
    }
    this.#setHead(Buffer.byteLength(sent));
    for (const callback of this.#callbacks) nextTick(callback);
    return proceed([sent, 'utf8']);
  }

  /** Makes the calls that were kept. Returns the answer to the last one. */
  giveUp(): unknown {
    this.#isCollecting = false;
    this.#isOver = true;
    const calls = this.#calls;
    this.#calls = [];
    this.#chunks = [];
    return calls.map((call) => call()).at(-1);
  }

  #pass(args: Args, proceed: Call): unknown {
    this.#isOver = true;
    return proceed(args);
  }

  #begins(head: Args): boolean {
    const res = this.#res;
    const given = headersOf(head);
    if (!given || this.#isOver || !this.#listener.isOpen()) return false;
    const named = (name: string) => {
      const key = Object.keys(given).find((other) => other.toLowerCase() === name);
      return key === undefined ? res.getHeader(name) : given[key];
    };
    this.#isCollecting = this.#isJson(named('content-type')) && named('content-encoding') === undefined;
    return this.#isCollecting;
  }

  /** Returns the arguments with a copy of the piece, as a caller may use its buffer again. */
  #take(args: Args): Args {
    const [chunk, encoding, ...others] = args;
    const callback = args.find((arg) => typeof arg === 'function') as Callback | undefined;
    if (callback) this.#callbacks.push(callback);
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) return args;
    const bytes =
      typeof chunk === 'string'
        ? Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
        : Buffer.from(chunk);
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
    return typeof chunk === 'string' ? args : [bytes, encoding, ...others];
  }

  /** Sets the status and the headers that `writeHead()` has named, for a text of another length. */
  #setHead(length: number): void {
    const res = this.#res;
    const [status, message] = this.#head;
    if (typeof status === 'number') res.statusCode = status;
    if (typeof message === 'string') res.statusMessage = message;
    for (const [name, value] of Object.entries(headersOf(this.#head) ?? {})) {
      if (value !== undefined) res.setHeader(name, value as string);
    }
    for (const name of STALE) if (res.hasHeader(name)) res.removeHeader(name);
    res.setHeader('Content-Length', length);
    this.#calls = [];
  }
}

function givenHead(args: Args): GivenHead {
  const [status] = args;
  return { status: typeof status === 'number' ? status : undefined, headers: headersOf(args) ?? {} };
}

/** The headers of a call of `writeHead()`; `undefined` for a list, which may repeat a name. */
function headersOf([, second, third]: Args): Head | undefined {
  const headers = typeof second === 'string' ? third : (second ?? third);
  if (Array.isArray(headers)) return undefined;
  return typeof headers === 'object' && headers !== null ? (headers as Head) : {};
}
