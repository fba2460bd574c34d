/** A deliberate fault: some text of a file under lib/ replaced by another. */
export interface Fault {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const gate = 'lib/gate/response-gate.ts';
const output = 'lib/node/held-output.ts';
const node = 'lib/node/node-response.ts';
const destroy = 'lib/gate/deferred-end.ts';
const end = 'lib/gate/close-delimited-end.ts';
const turn = 'lib/node/response-turn.ts';
const connection = 'lib/node/connection.ts';
const dropped = 'lib/gate/dropped-calls.ts';
const refused = 'lib/gate/refused-response.ts';
const held = 'lib/gate/held-connection.ts';
const keeper = 'lib/middleware/response-keeper.ts';
const constructorEnd = 'this.#connection = new HeldConnection(res, keeper, this);';
const taken = 'for (const piece of taken) if';

/** A fault that wraps a public method, as a gate at that level would. */
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
    file: output,
    from: taken,
    to: `for (const piece of taken) if (piece.data?.length) piece.callback = null;\n ${taken}`,
  },
  {
    name: 'a dropped end callback',
    file: output,
    from: taken,
    to: `for (const piece of taken) if (/^(0|$)/.test(String(piece.data))) piece.callback = null;\n ${taken}`,
  },
  {
    name: 'a write that loses its encoding',
    file: output,
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
    file: output,
    from: 'piece.data = Buffer.from(piece.data);',
    to: 'void piece;',
  },
  {
    name: 'held pieces in the wrong order',
    file: output,
    from: 'if (first.length < FEW) return first.concat(second);',
    to: 'if (first.length < FEW) return second.concat(first);',
  },
  {
    name: 'a response that keeps its turn',
    file: turn,
    from: 'socket._httpMessage = this.#placeholder;',
    to: '',
  },
  {
    name: 'a turn that is not given back',
    file: turn,
    from: 'if (this.#placeholder && socket?._httpMessage === this.#placeholder) socket._httpMessage = this.#res;',
    to: '',
  },
  {
    name: 'a placeholder that listeners can tell from the response',
    file: turn,
    from: "return typeof value === 'function' && !isFixed ? value.bind(res) : value;",
    to: 'return isFixed ? value : value;',
  },
  {
    name: 'a placeholder that breaks on a method that cannot be configured',
    file: turn,
    from: '&& !isFixed ?',
    to: '?',
  },
  {
    name: 'a placeholder that does not pass on assignments',
    file: turn,
    from: 'return Reflect.set(res, name, value);',
    to: 'return true;',
  },
  {
    name: 'a suspended response that takes its turn',
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
    name: 'a release although another label was added',
    file: gate,
    from: 'if (!this.#keeper.mustHold()) {',
    to: 'if (this.#res) {',
  },
  {
    name: 'a destroyed socket during the hold',
    file: gate,
    from: '#hold(): void {\n    this.#connection.deferEnd();',
    to: '#hold(): void {',
  },
  {
    name: 'output that waits for a `drain` that never comes',
    file: output,
    from: 'res._flush();',
    to: 'for (const { data, encoding, callback } of res.outputData.splice(0)) res._writeRaw(data, encoding, callback);',
  },
  {
    name: 'output after a denial',
    file: refused,
    from: 'dropOutput(res, (callback) => this.#output.callAfter(callback));',
    to: '',
  },
  {
    name: 'a clean end instead of a cut',
    file: held,
    from: 'else destroyConnection(socket);',
    to: "else socket.end('0\\r\\n\\r\\n');",
  },
  {
    name: 'a clean end of a close-delimited response that was cut',
    file: held,
    from: 'if (isCloseDelimited(this.#res)) resetConnection(socket);',
    to: 'if (isCloseDelimited(this.#res)) socket.destroy();',
  },
  {
    name: 'a connection that is closed after each denial',
    file: gate,
    from: 'detachedResponse(res, this.#refused.ends && !this.#connection.isEndDeferred)',
    to: 'detachedResponse(res, false)',
  },
  {
    name: 'a release while the denial is rendered',
    file: gate,
    from: "if (this.#state !== 'closed' && this.#state !== 'holding') return;",
    to: "if (!this.isHolding) return;\n    if (this.#state === 'refusing') this.#state = 'holding';",
  },
  {
    name: 'a gate that stays open after a denial',
    file: gate,
    from: "if (this.#state !== 'open' || (memberOf(this.#res, 'finished') && this.#output.allOut)) return;",
    to: "if (this.#state !== 'open' || this.#output.isReplaced || (memberOf(this.#res, 'finished') && this.#output.allOut)) return;",
  },
  {
    name: 'a gate that closes after the last byte',
    file: gate,
    from: "if (this.#state !== 'open' || (memberOf(this.#res, 'finished') && this.#output.allOut)) return;",
    to: "if (this.#state !== 'open') return;",
  },
  {
    name: 'a byte count that is lost in a flush',
    file: gate,
    from: 'microtask(() => this.#output.recountAfterFlush());',
    to: '{}',
  },
  {
    name: 'a connection that serves later responses while its end is held',
    file: end,
    from: 'blockPipeline(socket, this.#res);',
    to: '',
  },
  {
    name: 'a response to HEAD that is taken for close-delimited',
    file: node,
    from: "!memberOf(res, '_hasBody') || ",
    to: '',
  },
  {
    name: 'a connection that is corked again after its response ended',
    file: output,
    from: "if (memberOf(res, 'finished') !== finished) return;",
    to: '',
  },
  {
    name: 'a flush of an empty, open response',
    file: output,
    from: '} else if (!res.finished) return;',
    to: '}',
  },
  {
    name: 'a response without its turn when `finish` is due',
    file: gate,
    from: 'if (headOut) this.#watchFinish();',
    to: '',
  },
  {
    name: 'a listener for each label after the head',
    file: gate,
    from: 'if (this.#onFinish) return;',
    to: '',
  },
  {
    name: 'a gate that stays closed when the labels are persisted',
    file: gate,
    from: "if (this.#state === 'closed' && !this.#keeper.mustHold()) this.#open();",
    to: '',
  },
  {
    name: 'output after the socket was destroyed',
    file: gate,
    from: "if (memberOf(this.#res, 'destroyed') || this.#connection.isEnded) {",
    to: 'if (!this.#res) {',
  },
  {
    name: 'a `drain` for each held piece',
    file: output,
    from: "if (memberOf(this.#res, 'socket')) this.#uncounted += bytes;\n    else this.#account(bytes);",
    to: 'this.#account(bytes);',
  },
  {
    name: 'pipelined output that does not count for the connection',
    file: output,
    from: "if (memberOf(this.#res, 'socket')) this.#uncounted += bytes;\n    else this.#account(bytes);",
    to: 'this.#uncounted += bytes;',
  },
  {
    name: 'flushed bytes that still count for the connection',
    file: output,
    from: 'if (delta < 0) this.#uncounted = 0;',
    to: '',
  },
  {
    name: 'a denial after the header section has left',
    file: gate,
    from: "if (this.#headOut || isAbandoned || this.#state === 'open') this.#cut();",
    to: 'if (isAbandoned) this.#cut();',
  },
  {
    name: 'callbacks that never settle after an abort',
    file: output,
    from: 'if (piece.callback && !isFinish(piece, res._header)) nextTick(piece.callback, destroyedError());',
    to: 'void piece;',
  },
  {
    name: 'a `finish` event for dropped output',
    file: output,
    from: 'if (callback?.name !== FINISH_CALLBACK) return false;',
    to: 'if (callback) return false;',
  },
  {
    name: 'the status that the handler sets after the header section',
    file: node,
    from: "Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length))",
    to: 'res.statusCode',
  },
  {
    name: 'a write callback before the denial is sent',
    file: output,
    from: 'if (waiting.length > 0)',
    to: 'if (waiting.length < 0)',
  },
  {
    name: 'a socket that is read before the response has one',
    file: refused,
    from: 'const callbacks = this.#output.replace(bytesOf(denial), (error) => {',
    to: 'const early = res.socket; const callbacks = this.#output.replace(bytesOf(denial), (error) => { if (!early) return callbacks.forEach((callback) => callback?.(error));',
  },
  {
    name: 'a close-delimited end that is not held',
    file: end,
    from: 'if (!socket.writable || !this.#keeper.mustHold()) return call.proceed();',
    to: 'if (socket) return call.proceed();',
  },
  {
    name: 'a close-delimited end that is clean after a failed append',
    file: end,
    from: 'deferredEnd.reset();\n      return;',
    to: '',
  },
  {
    name: 'a close-delimited end that is not deferred for a closing server',
    file: end,
    from: 'const deferredEnd = new DeferredEnd(this.#res, socket);',
    to: 'const deferredEnd = { restore() {}, perform(_answered: boolean) {} };',
  },
  {
    name: 'a destroyed socket when the response’s turn comes during the hold',
    file: held,
    from: 'if (this.#defersEnd) this.deferEnd();',
    to: '',
  },
  {
    name: 'a second gate on one response',
    file: gate,
    from: 'if (HeldOutput.listenerOf(response)) {',
    to: 'if (!response) {',
  },
  {
    name: 'a reset of the TLS socket in place of the socket below it',
    file: connection,
    from: '(socketBelow(socket) ?? socket).resetAndDestroy',
    to: 'socket.resetAndDestroy',
  },
  {
    name: 'an error of a connection that cannot be reset',
    file: connection,
    from: 'attempt(() => (socketBelow(socket) ?? socket).resetAndDestroy());',
    to: '(socketBelow(socket) ?? socket).resetAndDestroy();',
  },
  {
    name: 'a connection whose destruction is deferred without a limit',
    file: destroy,
    from: 'setTimeout(() => this.reset(), LIMIT_MS)',
    to: 'setTimeout(() => {}, LIMIT_MS)',
  },
  {
    name: 'a complete response that may leave without a limit of time',
    file: destroy,
    from: 'setTimeout(() => destroy.proceed(), LIMIT_MS)',
    to: 'setTimeout(() => {}, LIMIT_MS)',
  },
  {
    name: 'a deferred end of a connection that is lost already',
    file: destroy,
    from: 'if (!socket.writable) return call.proceed();',
    to: '',
  },
  {
    name: 'a listener for the close of a response that replaces the others',
    file: 'lib/node/on-response-close.ts',
    from: "memberOf(events, 'close') !== undefined || ",
    to: '',
  },
  {
    name: 'a listener that the response does not count',
    file: 'lib/node/on-response-close.ts',
    from: "setMember(emitter, '_eventsCount', memberOf(emitter, '_eventsCount') + 1);",
    to: '',
  },
  {
    name: 'headers of a handler that reach a denial',
    file: 'lib/node/response-headers.ts',
    from: '[...value]',
    to: 'value',
  },
  {
    name: 'a listener on the connection for each pipelined request',
    file: 'lib/node/on-response-close.ts',
    from: 'if (!socket[kCallbacks]) {',
    to: 'if (socket) {',
  },
  {
    name: 'a clean end for a client that closes its half',
    file: destroy,
    from: 'if (hasClientLeft(socket)) return this.#endNow(call);',
    to: 'if (hasClientLeft(socket)) return call.proceed();',
  },
  {
    name: 'a clean end after an error of the connection',
    file: destroy,
    from: 'if (isConnectionError(error)) return this.#endNow(call, error);',
    to: 'if (isConnectionError(error)) return call.proceed();',
  },
  {
    name: 'a call of `end` that is not deferred during a hold',
    file: destroy,
    from: "const ENDS = ['destroy', 'end'] as const;",
    to: "const ENDS = ['destroy'] as const;",
  },
  {
    name: 'a connection that looks idle although requests wait on it',
    file: turn,
    from: "if (name === 'finished') return res.finished && !isFollowed(res);",
    to: '',
  },
  {
    name: 'a flush that sends output that was taken over',
    file: output,
    from: "for (const piece of left) Object.assign(piece, { data: '', callback: undefined });",
    to: '',
  },
  {
    name: 'a denial of the app that is noticed only when the hold begins',
    file: keeper,
    from: 'isAppDenial(renderedStatus(this.#exchange.res), this.violation)',
    to: 'isAppDenial(((this as { first?: number }).first ??= renderedStatus(this.#exchange.res) ?? 0), this.violation)',
  },
  {
    name: 'a denial in the middle of a flush',
    file: output,
    from: 'return first !== undefined && first.data !== null;',
    to: 'return first !== undefined;',
  },
  {
    name: 'a call of `destroy` that is not held when all bytes have left',
    file: end,
    from: "interceptMethods(socket, ['destroy', 'end'], this);",
    to: "interceptMethods(socket, ['end'], this);",
  },
  {
    name: 'an end that is given to a removed interceptor',
    file: 'lib/node/method-interceptor.ts',
    from: 'interception.interceptors.includes(interceptor) ?',
    to: 'interception ?',
  },
  {
    name: 'a deferred end whose error is not caught',
    file: end,
    from: 'destroyConnection(this.#socket, error as Error);',
    to: 'throw error;',
  },
  {
    name: 'callbacks of `end` that are not called when the connection is cut',
    file: destroy,
    from: 'nextTick(arg as () => void, destroyedError());',
    to: 'void arg;',
  },
  {
    name: 'a half-closed client of a server with httpAllowHalfOpen',
    file: connection,
    from: '&& !server?.httpAllowHalfOpen;',
    to: '&& Boolean(socket);',
  },
  {
    name: 'a callback of the app with the name of Node’s own callback',
    file: output,
    from: "return data === '' || data === header",
    to: 'return data !== null || data === header',
  },
  {
    name: 'a response that is lost because the app destroys it with an error',
    file: destroy,
    from: 'if (isConnectionError(error)) return this.#endNow(call, error);',
    to: 'if (error) return this.#endNow(call, error as Error);',
  },
  {
    name: 'an error of the app that is not emitted',
    file: destroy,
    from: "socket.once?.('finish', () => destroy.proceed());",
    to: '{}',
  },
  {
    name: 'headers that throw after a denial',
    file: dropped,
    from: 'for (const name of CHAINING_METHODS) replace(',
    to: 'for (const name of CHAINING_METHODS.slice(9)) replace(',
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
    name: 'a pipe that a denial ends',
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
    name: 'a connection that is destroyed through a denied request',
    file: dropped,
    from: "Reflect.set(req, 'socket', guarded);",
    to: '',
  },
  {
    name: 'a denial whose connection a late wrapper closes',
    file: dropped,
    from: 'return this.#ends || this.#res.writableEnded;',
    to: 'return this.#res.writableEnded;',
  },
  {
    name: 'a denial with keep-alive on a connection that is about to end',
    file: gate,
    from: ' && !this.#connection.isEndDeferred);',
    to: ');',
  },
];
