/** A deliberate fault: some text of a file under lib/ replaced by another. */
export interface Fault {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const gate = 'lib/response/response-gate.ts';
const constructorEnd = 'res._flush = () => this.#onFlush();';

/** A fault that wraps a public method, as a gate that stands there would have to. */
const wrapping = (name: string, code: string): Fault => ({
  name,
  file: gate,
  from: constructorEnd,
  to: `${constructorEnd}\n const own = res as unknown as Record<string, (...args: never[]) => unknown>;\n ${code}`,
});

/** What the tests of the gate must notice, each on its own. */
export const GATE_FAULTS: readonly Fault[] = [
  {
    name: 'a dropped write callback',
    file: gate,
    from: 'encoding, callback });',
    to: 'encoding, callback: data.length > 0 ? null : callback });',
  },
  {
    name: 'a dropped end callback',
    file: gate,
    from: 'encoding, callback });',
    to: "encoding, callback: data.length === 0 || String(data).startsWith('0') ? null : callback });",
  },
  { name: 'a lost encoding', file: gate, from: 'encoding, callback });', to: 'encoding: null, callback });' },
  wrapping(
    'a lost return value of end',
    "const end = own['end']!; own['end'] = (...args) => { end.apply(res, args); };",
  ),
  wrapping(
    'a lost return value of writeHead',
    "const head = own['writeHead']!; own['writeHead'] = (...args) => { head.apply(res, args); };",
  ),
  wrapping(
    'chunks where Node would send Content-Length',
    "const end = own['end']!; own['end'] = (...args) => { if (args[0]) res.write(args[0]); end.apply(res, args.slice(1) as never[]); return res; };",
  ),
  wrapping(
    'a lost reason phrase',
    "const head = own['writeHead']!; own['writeHead'] = (...args) => head.apply(res, args.filter((arg) => typeof arg !== 'string') as never[]);",
  ),
  wrapping(
    'lost array headers in writeHead',
    "const head = own['writeHead']!; own['writeHead'] = (...args) => head.apply(res, args.filter((arg) => !Array.isArray(arg)) as never[]);",
  ),
  wrapping(
    'a swallowed second writeHead',
    "const head = own['writeHead']!; own['writeHead'] = (...args) => res.headersSent ? res : head.apply(res, args);",
  ),
  wrapping(
    'a throwing second end',
    "const end = own['end']!; own['end'] = (...args) => { if (res.finished) throw new Error('ended'); return end.apply(res, args); };",
  ),
  wrapping('a listener left behind on the response', "res.on('close', () => {});"),
  wrapping('a listener left behind on the socket', "res.socket?.on('drain', () => {});"),
  {
    name: 'a caller’s buffer that is not copied',
    file: gate,
    from: 'Buffer.from(data), encoding',
    to: 'data, encoding',
  },
  {
    name: 'pieces kept in the wrong order',
    file: gate,
    from: 'outputData.push({ data',
    to: 'outputData.unshift({ data',
  },
  {
    name: 'a head before the interim responses',
    file: gate,
    from: 'if (this.#holding && outputData.length > this.#keptCount)',
    to: 'if (outputData.length < 0)',
  },
  {
    name: 'a flush that does not ask',
    file: gate,
    from: 'if (this.#res.outputData.length > 0 && this.#keeper.mustHold()) this.#hold();',
    to: 'if (this.#holding) this.#hold();',
  },
  {
    name: 'one settling for all labels',
    file: gate,
    from: '} while (this.#keeper.mustHold());',
    to: '} while (false);',
  },
  {
    name: 'a destroyed socket during the hold',
    file: gate,
    from: 'this.#destroy = DeferredDestroy.on(this.#res.socket);',
    to: '',
  },
  {
    name: 'a wait for the drain that never comes',
    file: gate,
    from: 'this.#flush.call(res);',
    to: 'for (const { data, encoding, callback } of this.#takeKept()) this.#writeRaw.call(res, data, encoding, callback);',
  },
  {
    name: 'output after a refusal',
    file: gate,
    from: 'if (this.#refused) {',
    to: 'if (this.#refused && this.#holding) {',
  },
  {
    name: 'a clean end instead of a cut',
    file: gate,
    from: 'else socket.destroy(error);',
    to: "else socket.end('0\\r\\n\\r\\n');",
  },
  {
    name: 'a clean end of a response that ends with its connection',
    file: gate,
    from: 'socket.resetAndDestroy();',
    to: 'socket.destroy(error);',
  },
  {
    name: 'a connection that is closed after each refusal',
    file: gate,
    from: 'detachedResponse(res, ended && !res._last)',
    to: 'detachedResponse(res, false)',
  },
  {
    name: 'a replacement after the head has left',
    file: gate,
    from: 'if (this.#headOut || abandoned) this.#cut();',
    to: 'if (abandoned) this.#cut();',
  },
  {
    name: 'callbacks that never settle after an abort',
    file: gate,
    from: 'if (callback) process.nextTick(callback, destroyedError());',
    to: 'void callback;',
  },
  {
    name: 'a finish that was not sent',
    file: gate,
    from: 'if (this.#res.writableEnded) kept.pop();',
    to: '',
  },
  {
    name: 'writableFinished that tells of the hold',
    file: gate,
    from: 'if (FINISHES_AT_END) {',
    to: 'if (!FINISHES_AT_END) {',
  },
  {
    name: 'the status that the handler set later',
    file: 'lib/response/node-response.ts',
    from: "Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length))",
    to: 'res.statusCode',
  },
];
