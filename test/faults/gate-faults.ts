/** A deliberate fault: some text of a file under lib/ replaced by another. */
export interface Fault {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const gate = 'lib/response/response-gate.ts';
const kept = 'lib/response/kept-output.ts';
const node = 'lib/response/node-response.ts';
const destroy = 'lib/response/deferred-destroy.ts';
const end = 'lib/response/guarded-end.ts';
const constructorEnd = 'res._flush = ResponseGate.#gatedFlush;';

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
    file: kept,
    from: 'encoding, callback };',
    to: 'encoding, callback: data.length > 0 ? null : callback };',
  },
  {
    name: 'a dropped end callback',
    file: kept,
    from: 'encoding, callback };',
    to: "encoding, callback: data.length === 0 || String(data).startsWith('0') ? null : callback };",
  },
  { name: 'a lost encoding', file: kept, from: 'encoding, callback };', to: 'encoding: null, callback };' },
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
    file: kept,
    from: 'Buffer.from(data), encoding',
    to: 'data, encoding',
  },
  {
    name: 'pieces kept in the wrong order',
    file: kept,
    from: 'else outputData.push(piece);',
    to: 'else outputData.unshift(piece);',
  },
  {
    name: 'a head before the interim responses',
    file: kept,
    from: 'if (!first && outputData.length > this.#count)',
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
    from: 'if (this.#keeper.mustHold()) this.#settle();',
    to: 'if (!this.#res) this.#settle();',
  },
  {
    name: 'a destroyed socket during the hold',
    file: gate,
    from: 'this.#holding = true;\n    this.#deferDestroy();',
    to: 'this.#holding = true;',
  },
  {
    name: 'a wait for the drain that never comes',
    file: kept,
    from: 'this.#flush.call(res);',
    to: 'for (const { data, encoding, callback } of this.take()) Object.getPrototypeOf(res)._writeRaw.call(res, data, encoding, callback);',
  },
  {
    name: 'output after a refusal',
    file: gate,
    from: 'if (this.#refused) return this.#discard(callback);',
    to: 'if (this.#refused && this.#holding) return this.#discard(callback);',
  },
  {
    name: 'a clean end instead of a cut',
    file: gate,
    from: 'else socket.destroy();',
    to: "else socket.end('0\\r\\n\\r\\n');",
  },
  {
    name: 'a clean end of a response that ends with its connection',
    file: gate,
    from: 'if (endsWithConnection(this.#res)) resetConnection(socket);',
    to: 'if (endsWithConnection(this.#res)) socket.destroy();',
  },
  {
    name: 'a connection that is closed after each refusal',
    file: gate,
    from: 'detachedResponse(res, res.writableEnded && !res._last)',
    to: 'detachedResponse(res, false)',
  },
  {
    name: 'a release while the refusal is made',
    file: gate,
    from: 'if (this.#rendering) return;',
    to: '',
  },
  {
    name: 'a response that has its turn while the refusal is made',
    file: gate,
    from: 'if (this.#rendering && !this.#holding) this.#beginHold();',
    to: '',
  },
  {
    name: 'a replacement after the head has left',
    file: gate,
    from: 'if (this.#headOut || abandoned) this.#cut();',
    to: 'if (abandoned) this.#cut();',
  },
  {
    name: 'callbacks that never settle after an abort',
    file: kept,
    from: 'if (callback) process.nextTick(callback, destroyedError());',
    to: 'void callback;',
  },
  {
    name: 'a finish that was not sent',
    file: kept,
    from: 'if (this.#res.writableEnded) pieces.pop();',
    to: '',
  },
  {
    name: 'writableFinished that tells of the hold',
    file: gate,
    from: 'if (!FINISHES_AT_END || this.#finishGated) return;',
    to: 'if (FINISHES_AT_END || this.#finishGated) return;',
  },
  {
    name: 'the status that the handler set later',
    file: node,
    from: "Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length))",
    to: 'res.statusCode',
  },
  {
    name: 'a callback that fires before the refusal is sent',
    file: gate,
    from: 'if (callback && this.#res.outputData.length > 0)',
    to: 'if (callback && this.#res.outputData.length < 0)',
  },
  {
    name: 'a socket that is read before the response has one',
    file: gate,
    from: 'const onSent: WriteCallback = (error) => {',
    to: 'const early = res.socket; const onSent: WriteCallback = (error) => { if (!early) return callbacks.forEach((callback) => callback?.(error));',
  },
  {
    name: 'an end of the connection that does not wait for the append',
    file: end,
    from: 'if (!keeper.mustHold()) return end();',
    to: 'if (res) return end();',
  },
  {
    name: 'an end of the connection that is as clean after a failed append',
    file: end,
    from: "if (verdict === 'refuse') resetConnection(socket);",
    to: "if (verdict === 'refuse') end();",
  },
  {
    name: 'an end of the connection that waits, but not for a server that closes',
    file: end,
    from: 'const destroy = new DeferredDestroy(socket);',
    to: 'const destroy = { restore() {}, perform(_answered: boolean) {} };',
  },
  {
    name: 'an end that is not guarded when the response has had to wait for its turn',
    file: gate,
    from: `#onFlush(): void {
    this.#guardEnd();`,
    to: '#onFlush(): void {',
  },
  {
    name: 'a destroyed socket when the response’s turn comes during the hold',
    file: gate,
    from: 'if (this.#holding) {\n      this.#deferDestroy();',
    to: 'if (this.#holding) {',
  },
  {
    name: 'a gate that serves the keeper of another request object',
    file: gate,
    from: 'if (res[kGate]) {',
    to: `if (res[kGate]) return res[kGate];
    if (!res) {`,
  },
  {
    name: 'a reset of the encrypted side',
    file: node,
    from: '(_parent ?? socket).resetAndDestroy',
    to: 'socket.resetAndDestroy',
  },
  {
    name: 'a reset where there is none',
    file: node,
    from: '} catch {\n    // Unix sockets',
    to: '} finally {\n    // Unix sockets',
  },
  {
    name: 'a destruction that is put off for ever',
    file: destroy,
    from: 'setTimeout(() => this.#giveUp(), LIMIT_MS)',
    to: 'setTimeout(() => {}, LIMIT_MS)',
  },
  {
    name: 'an answer that may take for ever to get out',
    file: destroy,
    from: 'setTimeout(() => socket.destroy(), LIMIT_MS)',
    to: 'setTimeout(() => {}, LIMIT_MS)',
  },
  {
    name: 'a lost connection that is kept',
    file: destroy,
    from: 'if (error || !socket.writable) return destroy(error);',
    to: '',
  },
  {
    name: 'a listener on the connection for each pipelined request',
    file: 'lib/response/response-end.ts',
    from: 'if (!socket[kWaiting]) {',
    to: 'if (socket) {',
  },
];
