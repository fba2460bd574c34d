import type { ServerResponse } from 'node:http';
import fc from 'fast-check';

/** One step of a handler: what it does to its response. Plain data, so that a counterexample can be read. */
export type Step =
  | { readonly do: 'setHeader' | 'appendHeader'; readonly name: string; readonly value: string | string[] }
  | { readonly do: 'removeHeader'; readonly name: string }
  | { readonly do: 'status'; readonly code: number }
  | { readonly do: 'reason'; readonly text: string }
  | { readonly do: 'writeHead' | 'writeHeader'; readonly args: readonly unknown[] }
  | {
      readonly do: 'write' | 'end';
      readonly chunk: Chunk;
      readonly encoding?: BufferEncoding;
      readonly callback: boolean;
    }
  | { readonly do: 'flushHeaders' | 'writeContinue' | 'writeProcessing' | 'writeEarlyHints' | 'addTrailers' }
  | { readonly do: 'cork' | 'uncork' | 'destroy' }
  | { readonly do: 'label' | 'tick' | 'drain' };

export type Chunk =
  | { readonly text: string }
  | { readonly big: number }
  | { readonly bytes: string; readonly kind: 'Buffer' | 'Uint8Array' }
  | { readonly bad: 'null' | 'number' }
  | { readonly none: true };

/** What a handler could see while it ran a program. */
export interface Trace {
  /** One entry a step: what the call returned or threw, and the flags after it. */
  readonly steps: string[];
  /** Callbacks and events that mean that something was sent, in their order. */
  readonly sent: string[];
  /** Callbacks and events that carry errors, in their order. */
  readonly errors: string[];
}

// No prefix is a hexadecimal digit: the random id of a denial must not look like a token.
const token = (prefix: string) => fc.integer({ min: 100, max: 999 }).map((n) => `${prefix}${n}`);
const chunk: fc.Arbitrary<Chunk> = fc.oneof(
  { weight: 6, arbitrary: token('t').map((text) => ({ text })) },
  { weight: 1, arbitrary: fc.constant({ text: 'Zm9v' }) },
  { weight: 1, arbitrary: fc.constant({ text: 'é✓' }) },
  { weight: 1, arbitrary: fc.constant({ big: 40_000 }) },
  {
    weight: 3,
    arbitrary: fc.record({ bytes: token('w'), kind: fc.constantFrom('Buffer' as const, 'Uint8Array' as const) }),
  },
  { weight: 1, arbitrary: fc.constantFrom({ bad: 'null' as const }, { bad: 'number' as const }) },
);
const encoding = fc.constantFrom<BufferEncoding>('utf8', 'latin1', 'base64', 'hex', 'utf16le');
const output = (call: 'write' | 'end') =>
  fc.record(
    {
      do: fc.constant(call),
      chunk: call === 'end' ? fc.oneof(chunk, fc.constantFrom({ none: true as const }, { text: '' })) : chunk,
      encoding,
      callback: fc.boolean(),
    },
    { requiredKeys: ['do', 'chunk', 'callback'] },
  );
const headerName = fc.constantFrom('X-One', 'x-two', 'Set-Cookie', 'Content-Type', 'Vary', 'bad name');
const headerValue = fc.oneof(token('h'), fc.array(token('h'), { minLength: 1, maxLength: 2 }), fc.constant('bad\n'));
const framing = fc.constantFrom<Step>(
  { do: 'setHeader', name: 'Content-Length', value: '4' },
  { do: 'setHeader', name: 'Transfer-Encoding', value: 'chunked' },
  { do: 'setHeader', name: 'Connection', value: 'close' },
  { do: 'setHeader', name: 'Trailer', value: 'X-Trailer' },
  { do: 'removeHeader', name: 'Content-Length' },
  { do: 'removeHeader', name: 'Connection' },
);
const statusCode = fc.constantFrom(200, 201, 204, 206, 301, 304, 401, 403, 404, 500, 99, 1000);
const writeHeadArgs = fc.oneof(
  fc.tuple(statusCode),
  fc.tuple(statusCode, token('r')),
  fc.tuple(statusCode, fc.record({ 'X-Head': headerValue })),
  fc.tuple(statusCode, token('r'), fc.record({ 'X-Head': headerValue, 'x-one': token('h') })),
  fc.tuple(statusCode, fc.tuple(fc.constant('X-Flat'), token('h'), fc.constant('X-Flat'), token('h'))),
  fc.tuple(statusCode, fc.constant(['odd'])),
);

export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: output('write') as fc.Arbitrary<Step> },
  { weight: 3, arbitrary: output('end') as fc.Arbitrary<Step> },
  { weight: 4, arbitrary: fc.constant<Step>({ do: 'label' }) },
  { weight: 4, arbitrary: fc.constant<Step>({ do: 'tick' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'drain' }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('setHeader' as const, 'appendHeader' as const),
      name: headerName,
      value: headerValue,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('removeHeader' as const), name: headerName }) },
  { weight: 2, arbitrary: framing },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('status' as const), code: statusCode }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reason' as const), text: token('r') }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('writeHead' as const, 'writeHeader' as const),
      args: writeHeadArgs as fc.Arbitrary<unknown[]>,
    }),
  },
  { weight: 2, arbitrary: fc.constant<Step>({ do: 'flushHeaders' }) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('writeContinue' as const, 'writeProcessing' as const, 'writeEarlyHints' as const)
      .map((call): Step => ({ do: call })),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'addTrailers' }) },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ do: 'cork' }, { do: 'uncork' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'destroy' }) },
);

export const program: fc.Arbitrary<Step[]> = fc.array(step, { minLength: 1, maxLength: 12 });

/** Steps that a program skips after the end, because their result depends on how fast the socket is. */
const NOT_AFTER_END: readonly Step['do'][] = [
  'tick',
  'drain',
  'writeContinue',
  'writeProcessing',
  'writeEarlyHints',
  'cork',
];

function isSkipped(current: Step, res: ServerResponse): boolean {
  if (res.destroyed && current.do === 'end') return true;
  return (res.destroyed || res.writableEnded) && NOT_AFTER_END.includes(current.do);
}

/** Runs a program against a response and notes all that its handler can see. Never throws. */
export async function runProgram(program: readonly Step[], res: ServerResponse, addLabel: () => void): Promise<Trace> {
  const trace: Trace = { steps: [], sent: [], errors: [] };
  for (const event of ['finish', 'close']) res.on(event, () => trace.sent.push(event));
  res.on('error', (error) => trace.errors.push(`error ${codeOf(error)}`));
  for (const [index, current] of program.entries()) {
    if (isSkipped(current, res)) continue;
    let outcome: string;
    try {
      const result = perform(current, index, res, trace, addLabel);
      if (result instanceof Promise) await result;
      outcome = result === res ? 'this' : typeof result;
    } catch (error) {
      // end() corks the socket before it throws, and leaves it so
      if (current.do === 'end') uncork(res);
      outcome = `throws ${codeOf(error)}`;
    }
    const flags = [res.headersSent, res.writableEnded, res.finished, res.statusCode, res.statusMessage];
    trace.steps.push(`${current.do} ${outcome} ${flags.join(' ')} ${JSON.stringify(res.getHeaders())}`);
  }
  return trace;
}

function perform(current: Step, index: number, res: ServerResponse, trace: Trace, addLabel: () => void): unknown {
  switch (current.do) {
    case 'setHeader':
    case 'appendHeader':
      return res[current.do](current.name, structuredClone(current.value));
    case 'removeHeader':
      return res.removeHeader(current.name);
    case 'status':
      res.statusCode = current.code;
      return undefined;
    case 'reason':
      res.statusMessage = current.text;
      return undefined;
    case 'writeHead':
      return Reflect.apply(res.writeHead, res, structuredClone(current.args));
    case 'writeHeader':
      return Reflect.apply(
        (res as unknown as { writeHeader: typeof res.writeHead }).writeHeader,
        res,
        structuredClone(current.args),
      );
    case 'write':
    case 'end': {
      const callback = (error?: Error | null): void => {
        if (error) trace.errors.push(`${current.do} ${index} ${codeOf(error)}`);
        else trace.sent.push(`${current.do} ${index}`);
      };
      const args = [chunkValue(current.chunk), current.encoding, asksBack(current, res) ? callback : undefined];
      const result: unknown = Reflect.apply(res[current.do], res, 'none' in current.chunk ? args.slice(2) : args);
      spoil(args[0], res);
      return result;
    }
    case 'writeEarlyHints':
      return res.writeEarlyHints({ link: `</hint${index}.css>; rel=preload` });
    case 'addTrailers':
      return res.addTrailers({ 'X-Trailer': `trailer${index}` });
    case 'label':
      addLabel();
      return undefined;
    case 'tick':
      return new Promise((resolve) => setImmediate(resolve));
    case 'drain':
      return drained(res);
    case 'destroy':
      return res.writableEnded ? res.destroy() : destroyInNextTick(res);
    default:
      return res[current.do]();
  }
}

/** How a second end() is reported depends on how fast the socket is. */
function asksBack(current: Step & { do: 'write' | 'end' }, res: ServerResponse): boolean {
  const again = current.do === 'end' && res.writableEnded && !chunkValue(current.chunk);
  return current.callback && !again;
}

function chunkValue(value: Chunk): unknown {
  if ('text' in value) return value.text;
  if ('big' in value) return 'x'.repeat(value.big);
  if ('bytes' in value)
    return value.kind === 'Buffer' ? Buffer.from(value.bytes) : new Uint8Array(Buffer.from(value.bytes));
  return 'bad' in value && value.bad === 'number' ? 5 : null;
}

/** Node corks each write until the tick is over, and loses corked bytes when the socket is destroyed. */
export async function destroyInNextTick(res: ServerResponse): Promise<void> {
  uncork(res);
  await new Promise((resolve) => setImmediate(resolve));
  res.destroy();
}

/** Takes back every cork. */
function uncork(res: ServerResponse): void {
  for (let corked = res.socket?.writableCorked ?? 0; corked > 0; corked--) res.socket?.uncork();
}

/** A caller may do what it likes with its buffer once the call has returned, unless it has corked the socket. */
function spoil(written: unknown, res: ServerResponse): void {
  if (!(written instanceof Uint8Array)) return;
  setImmediate(() => {
    if (!res.socket?.writableCorked) written.fill(0x21);
  });
}

/** Waits as a well-behaved producer does. */
async function drained(res: ServerResponse): Promise<void> {
  if (res.writableNeedDrain && !res.destroyed && !res.writableCorked && !res.socket?.writableCorked) {
    await new Promise<void>((resolve) => {
      res.once('drain', resolve);
      res.once('close', resolve);
    });
  }
  await new Promise((resolve) => setImmediate(resolve));
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
}
