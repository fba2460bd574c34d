/** A deliberate fault: some text of a file under lib/ replaced by another. */
export interface Fault {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const gate = 'lib/gate/response-gate.ts';
const kept = 'lib/node/held-output.ts';
const node = 'lib/node/node-response.ts';
const destroy = 'lib/gate/deferred-end.ts';
const end = 'lib/gate/close-delimited-end.ts';
const turn = 'lib/node/response-turn.ts';
const connection = 'lib/node/connection.ts';
const dropped = 'lib/gate/dropped-calls.ts';
const replaced = 'lib/gate/replaced-output.ts';
const constructorEnd = 'res._onPendingData = onPendingData;';
const taken = 'for (const piece of taken) if';

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
    from: taken,
    to: `for (const piece of taken) if (piece.data?.length) piece.callback = null;\n ${taken}`,
  },
  {
    name: 'a dropped end callback',
    file: kept,
    from: taken,
    to: `for (const piece of taken) if (/^(0|$)/.test(String(piece.data))) piece.callback = null;\n ${taken}`,
  },
  {
    name: 'a lost encoding',
    file: kept,
    from: taken,
    to: `for (const piece of taken) piece.encoding = null;\n ${taken}`,
  },
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
    from: 'piece.data = Buffer.from(piece.data);',
    to: 'void piece;',
  },
  {
    name: 'pieces kept in the wrong order',
    file: kept,
    from: 'if (first.length < FEW) return first.concat(second);',
    to: 'if (first.length < FEW) return second.concat(first);',
  },
  {
    name: 'a response that keeps its turn',
    file: turn,
    from: 'socket._httpMessage = this.#standIn;',
    to: '',
  },
  {
    name: 'a turn that is not given back',
    file: turn,
    from: 'if (this.#standIn && socket?._httpMessage === this.#standIn) socket._httpMessage = this.#res;',
    to: '',
  },
  {
    name: 'a stand-in that listeners can tell from the response',
    file: turn,
    from: "return typeof value === 'function' && !isFixed ? value.bind(res) : value;",
    to: 'return isFixed ? value : value;',
  },
  {
    name: 'a stand-in that breaks on a method that cannot be configured',
    file: turn,
    from: '&& !isFixed ?',
    to: '?',
  },
  {
    name: 'a stand-in that keeps what it is told',
    file: turn,
    from: 'set: (res, name, value) => Reflect.set(res, name, value),',
    to: 'set: () => true,',
  },
  {
    name: 'a turn that is taken without asking',
    file: turn,
    from: 'if (this.#suspended) this.suspend();',
    to: '',
  },
  {
    name: 'a flush at the turn of a suspended response',
    file: turn,
    from: 'if (!this.#suspended) _flush.call(res);',
    to: '_flush.call(res);',
  },
  {
    name: 'one settling for all labels',
    file: gate,
    from: 'if (this.#keeper.mustHold()) this.#hold();',
    to: 'if (!this.#res) this.#hold();',
  },
  {
    name: 'a destroyed socket during the hold',
    file: gate,
    from: 'this.#holding = true;\n    this.#deferEnd();\n    this.#keeper.settle(',
    to: 'this.#holding = true;\n    this.#keeper.settle(',
  },
  {
    name: 'a wait for the drain that never comes',
    file: kept,
    from: 'res._flush();',
    to: 'for (const { data, encoding, callback } of res.outputData.splice(0)) res._writeRaw(data, encoding, callback);',
  },
  {
    name: 'output after a refusal',
    file: replaced,
    from: 'res._writeRaw = (_data, encoding, callback) => {',
    to: "const _own: NodeResponse['_writeRaw'] = (_data, encoding, callback) => {",
  },
  {
    name: 'a clean end instead of a cut',
    file: gate,
    from: 'else destroyConnection(socket);',
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
    from: 'detachedResponse(res, ends() && !res._last && !this.#ending?.requested)',
    to: 'detachedResponse(res, false)',
  },
  {
    name: 'a release while the refusal is made',
    file: gate,
    from: 'if (this.#rendering || !this.#closed) return;',
    to: 'if (!this.#closed) return;',
  },
  {
    name: 'a gate that stays open after the refusal',
    file: gate,
    from: 'if (this.#closed || (res.finished && this.#kept.allOut)) return;',
    to: 'if (this.#closed || this.#refused || (headOut && res.finished && this.#kept.allOut)) return;',
  },
  {
    name: 'a gate that closes after the last byte',
    file: gate,
    from: 'if (this.#closed || (res.finished && this.#kept.allOut)) return;',
    to: 'if (this.#closed) return;',
  },
  {
    name: 'a count that is lost in a flush',
    file: gate,
    from: 'microtask(() => this.#kept.recountAfterFlush());',
    to: '{}',
  },
  {
    name: 'a connection that serves others while its end waits',
    file: end,
    from: 'occupy(socket, res);',
    to: '',
  },
  {
    name: 'a HEAD that ends with its connection',
    file: node,
    from: '!_hasBody || ',
    to: '',
  },
  {
    name: 'corks after an end',
    file: kept,
    from: 'if (res.finished !== finished) return;',
    to: '',
  },
  {
    name: 'a flush of nothing',
    file: kept,
    from: '} else if (!res.finished) return;',
    to: '}',
  },
  {
    name: 'a finish without the turn',
    file: gate,
    from: 'if (headOut) this.#watchFinish();',
    to: '',
  },
  {
    name: 'a listener for each label after the head',
    file: gate,
    from: 'if (this.#finishWatched) return;',
    to: '',
  },
  {
    name: 'a gate that stays closed when the labels are persisted',
    file: gate,
    from: 'if (this.#closed && !this.#holding && !this.#keeper.mustHold()) this.#open();',
    to: '',
  },
  {
    name: 'output after the destruction of the socket',
    file: gate,
    from: 'if (this.#res.destroyed || this.#ending?.requested || this.#endGuard?.()) {',
    to: 'if (!this.#res) {',
  },
  {
    name: 'a drain for each kept piece',
    file: kept,
    from: 'if (this.#res.socket) this.#unaccounted += bytes;\n    else this.#account(bytes);',
    to: 'this.#account(bytes);',
  },
  {
    name: 'a flood that nobody accounts for',
    file: kept,
    from: 'if (this.#res.socket) this.#unaccounted += bytes;\n    else this.#account(bytes);',
    to: 'this.#unaccounted += bytes;',
  },
  {
    name: 'bytes that stay on the connection’s account',
    file: kept,
    from: 'if (delta < 0) this.#unaccounted = 0;',
    to: '',
  },
  {
    name: 'a replacement after the head has left',
    file: gate,
    from: 'if (this.#headOut || abandoned || !this.#closed) this.#cut();',
    to: 'if (abandoned) this.#cut();',
  },
  {
    name: 'callbacks that never settle after an abort',
    file: kept,
    from: 'if (piece.callback && !isFinish(piece, res._header)) nextTick(piece.callback, destroyedError());',
    to: 'void piece;',
  },
  {
    name: 'a finish that was not sent',
    file: kept,
    from: "if (callback?.name !== 'bound onFinish') return false;",
    to: 'if (callback) return false;',
  },
  {
    name: 'the status that the handler set later',
    file: node,
    from: "Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length))",
    to: 'res.statusCode',
  },
  {
    name: 'a callback that fires before the refusal is sent',
    file: kept,
    from: 'if (waiting.length > 0)',
    to: 'if (waiting.length < 0)',
  },
  {
    name: 'a socket that is read before the response has one',
    file: replaced,
    from: 'const callbacks = kept.replace(bytesOf(refusal), (error) => {',
    to: 'const early = res.socket; const callbacks = kept.replace(bytesOf(refusal), (error) => { if (!early) return callbacks.forEach((callback) => callback?.(error));',
  },
  {
    name: 'an end of the connection that does not wait for the append',
    file: end,
    from: 'if (!socket.writable || !keeper.mustHold()) return call.proceed();',
    to: 'if (res) return call.proceed();',
  },
  {
    name: 'an end of the connection that is as clean after a failed append',
    file: end,
    from: 'ending.reset();\n    return;',
    to: '',
  },
  {
    name: 'an end of the connection that waits, but not for a server that closes',
    file: end,
    from: 'const ending = new DeferredEnd(res, socket);',
    to: 'const ending = { restore() {}, perform(_answered: boolean) {} };',
  },
  {
    name: 'a destroyed socket when the response’s turn comes during the hold',
    file: gate,
    from: 'if (this.#holding) this.#deferEnd();',
    to: '',
  },
  {
    name: 'a gate that serves the keeper of another request object',
    file: gate,
    from: 'if (res._onPendingData[kGate]) {',
    to: 'const other = res._onPendingData[kGate];\n    if (other) return other;\n    if (!res) {',
  },
  {
    name: 'a reset of the encrypted side',
    file: connection,
    from: '(_parent ?? socket).resetAndDestroy',
    to: 'socket.resetAndDestroy',
  },
  {
    name: 'a reset where there is none',
    file: connection,
    from: 'attempt(() => (_parent ?? socket).resetAndDestroy());',
    to: '(_parent ?? socket).resetAndDestroy();',
  },
  {
    name: 'a destruction that is put off for ever',
    file: destroy,
    from: 'setTimeout(() => this.reset(), LIMIT_MS)',
    to: 'setTimeout(() => {}, LIMIT_MS)',
  },
  {
    name: 'an answer that may take for ever to get out',
    file: destroy,
    from: 'setTimeout(() => destruction.proceed(), LIMIT_MS)',
    to: 'setTimeout(() => {}, LIMIT_MS)',
  },
  {
    name: 'a lost connection that is kept',
    file: destroy,
    from: 'if (!socket.writable) return call.proceed();',
    to: '',
  },
  {
    name: 'a listener on the connection for each pipelined request',
    file: 'lib/node/on-response-close.ts',
    from: 'if (!socket[kWaiting]) {',
    to: 'if (socket) {',
  },
  {
    name: 'a clean end for a client that closes its half',
    file: destroy,
    from: 'if (hasLeft(socket)) return this.#lose(call);',
    to: 'if (hasLeft(socket)) return call.proceed();',
  },
  {
    name: 'a clean end by an error',
    file: destroy,
    from: 'if (isConnectionError(error)) return this.#lose(call, error);',
    to: 'if (isConnectionError(error)) return call.proceed();',
  },
  {
    name: 'an end of the connection during the hold',
    file: destroy,
    from: "const ENDS = ['destroy', 'end'] as const;",
    to: "const ENDS = ['destroy'] as const;",
  },
  {
    name: 'a connection that is idle though others wait on it',
    file: turn,
    from: "if (name === 'finished') return res.finished && !isFollowed(res);",
    to: '',
  },
  {
    name: 'a flush that sends what was taken out of it',
    file: kept,
    from: "for (const piece of left) Object.assign(piece, { data: '', callback: undefined });",
    to: '',
  },
  {
    name: 'the status that a response had when its hold began',
    file: gate,
    from: 'get status(): number | undefined {\n    return renderedStatus(this.#res);\n  }',
    to: '#status: number | undefined | null = null;\n  get status(): number | undefined {\n    this.#status = this.#status === null ? renderedStatus(this.#res) : this.#status;\n    return this.#status;\n  }',
  },
  {
    name: 'a replacement in the middle of a flush',
    file: kept,
    from: 'return first !== undefined && first.data !== null;',
    to: 'return first !== undefined;',
  },
  {
    name: 'a destruction under a label when all bytes are out',
    file: end,
    from: "shadowMethods(socket, ['destroy', 'end'], front);",
    to: "shadowMethods(socket, ['end'], front);",
  },
  {
    name: 'an end that is given to a front that has gone',
    file: 'lib/node/method-interceptor.ts',
    from: 'fronted.fronts.includes(front) ?',
    to: 'fronted ?',
  },
  {
    name: 'a put-off end whose throw nobody catches',
    file: end,
    from: 'destroyConnection(socket, error as Error);',
    to: 'throw error;',
  },
  {
    name: 'ends of a connection that was cut, of which nobody hears',
    file: destroy,
    from: 'nextTick(arg as () => void, destroyedError());',
    to: 'void arg;',
  },
  {
    name: 'a client that has closed its half where the server goes on with that',
    file: destroy,
    from: '&& !server?.httpAllowHalfOpen;',
    to: '&& Boolean(socket);',
  },
  {
    name: 'a callback that is taken for Node’s by its name',
    file: kept,
    from: "return data === '' || data === header",
    to: 'return data !== null || data === header',
  },
  {
    name: 'an answer that is lost by an error of its app',
    file: destroy,
    from: 'if (isConnectionError(error)) return this.#lose(call, error);',
    to: 'if (error) return this.#lose(call, error as Error);',
  },
  {
    name: 'an error of the app of which nobody hears',
    file: destroy,
    from: "socket.once?.('finish', () => destruction.proceed());",
    to: '{}',
  },
  {
    name: 'headers that throw after a denial',
    file: dropped,
    from: 'for (const name of CHAINING) replace(',
    to: 'for (const name of CHAINING.slice(9)) replace(',
  },
  {
    name: 'an end that throws after a denial',
    file: dropped,
    from: "replace(res, 'end', (...args) => this.#onEnd(args));",
    to: '',
  },
  {
    name: 'a status that handlers change after a denial',
    file: dropped,
    from: "fixValue(res, 'statusCode', res.statusCode);",
    to: '',
  },
  {
    name: 'a producer that waits for ever after a denial',
    file: dropped,
    from: "if (res.listenerCount('drain') > 0) nextTick(() => res.emit('drain'));",
    to: '',
  },
  {
    name: 'a pipe that a denial cuts off',
    file: dropped,
    from: "if (event === 'finish') return this.#pipes.survive(emit);",
    to: '',
  },
  {
    name: 'a close that comes before the end of a pipe',
    file: dropped,
    from: "if (event === 'close' && this.#pipes.any) {",
    to: "if (event === 'never') {",
  },
  {
    name: 'a connection that is lost by way of a denied request',
    file: dropped,
    from: "Reflect.set(req, 'socket', kept);",
    to: '',
  },
  {
    name: 'a denial whose connection a late wrapper costs',
    file: dropped,
    from: 'return this.#ends || this.#res.writableEnded;',
    to: 'return this.#res.writableEnded;',
  },
  {
    name: 'a denial that promises a connection which is about to end',
    file: gate,
    from: ' && !this.#ending?.requested);',
    to: ');',
  },
];
