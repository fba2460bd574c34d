import { type IncomingMessage, ServerResponse } from 'node:http';
import { AplSessionError } from '../contract/errors.js';
import { nextTick } from '../util/clock.js';

export type WriteCallback = ((error?: Error | null) => void) | null | undefined;

/** One piece of a response that Node keeps because the socket may not have it yet. */
export interface PendingOutput {
  /** `null` once a flush has come to it. */
  data: string | Buffer | null;
  encoding: BufferEncoding | null | undefined;
  callback: WriteCallback;
}

/**
 * What the gate uses of a `ServerResponse` beyond its documented part: the place where Node itself keeps the bytes of a
 * response that waits for its turn in a pipeline. Everything that a response sends, of whatever kind, passes
 * `_writeRaw`, which keeps it in `outputData` if it is not the response's turn, and `_flush`, which sends what was kept.
 * Nothing outside this folder names these members.
 */
export interface NodeResponse extends ServerResponse<IncomingMessage> {
  /** The rendered head, once there is one. Some serverless runtimes begin with an empty one. */
  _header: string | null;
  /** Whether the head was passed to `_writeRaw`. */
  _headerSent: boolean;
  /** Whether a body follows its head: not for HEAD, 204 and 304. */
  _hasBody: boolean;
  /** Whether the connection ends with this response. */
  _last: boolean;
  maxRequestsOnConnectionReached: boolean;
  /** Documented for every outgoing message; missing in the types of Node 20. */
  getRawHeaderNames(): string[];
  _keepAliveTimeout: number;
  outputData: PendingOutput[];
  outputSize: number;
  /** Called for each change of `outputSize`; accounts for it on the connection. */
  _onPendingData(delta: number): void;
  _writeRaw(
    data: string | Buffer,
    encoding?: BufferEncoding | null | WriteCallback,
    callback?: WriteCallback,
    size?: number,
  ): boolean;
  _send(...args: unknown[]): boolean;
  _flush(): void;
  _flushOutput(...args: unknown[]): unknown;
  _implicitHeader(): void;
  /** Another name of `writeHead`. */
  writeHeader: ServerResponse['writeHead'];
}

const NODES_OWN = ServerResponse.prototype as NodeResponse;

/** What a response and the streams around it are made of, if they are Node's. */
interface Candidate extends Partial<Omit<NodeResponse, 'req' | 'socket'>> {
  readonly req?: { readonly socket?: { destroy?: unknown } | null };
  readonly socket?: { destroy?: unknown; write?: unknown } | null;
  /** Every response has it that Node's constructor has made. */
  readonly _sent100?: boolean;
}

/**
 * Throws for a response that has no place at which the gate could hold it, or passes it by: HTTP/2 compatibility
 * responses, mocks, subclasses that copy or send what is written in their own way, and responses whose connection could
 * not be cut. Asked for every request, as a test tool changes the prototypes of an app whenever it likes.
 * @throws AplSessionError `runtime.unsupported`
 */
export function assertGateable(response: object): void {
  const res = response as Candidate;
  if (!isNodes(res)) {
    throw new AplSessionError(
      'runtime.unsupported',
      'This response cannot be held back: it is no HTTP/1 ServerResponse of Node, or has an output of its own. HTTP/2 and mock responses (light-my-request, for example) are not supported; test over a real connection.',
    );
  }
  if (typeof res.req?.socket?.destroy === 'function' && isConnected(res)) return;
  throw new AplSessionError(
    'runtime.unsupported',
    'This response cannot be held back: its connection cannot be destroyed, so it could not be cut. Test over a real connection.',
  );
}

function isNodes(res: Candidate): boolean {
  if (res._writeRaw !== NODES_OWN._writeRaw || typeof res._onPendingData !== 'function') return false;
  if (res._send !== NODES_OWN._send || typeof res._sent100 !== 'boolean') return false;
  return hasNodesMethods(Object.getPrototypeOf(res) as NodeResponse) || !hasForeignPrototype(res);
}

/** A response that waits in a pipeline has no socket yet. */
function isConnected({ socket }: Candidate): boolean {
  return !socket || (typeof socket.destroy === 'function' && typeof socket.write === 'function');
}

/** Spelled out because it runs for every request. */
function hasNodesMethods(prototype: NodeResponse): boolean {
  return (
    prototype.write === NODES_OWN.write &&
    prototype.end === NODES_OWN.end &&
    prototype.writeHead === NODES_OWN.writeHead &&
    prototype._send === NODES_OWN._send &&
    prototype._flush === NODES_OWN._flush &&
    prototype._flushOutput === NODES_OWN._flushOutput &&
    prototype._implicitHeader === NODES_OWN._implicitHeader &&
    prototype.flushHeaders === NODES_OWN.flushHeaders &&
    prototype.writeHeader === NODES_OWN.writeHeader &&
    prototype.writeContinue === NODES_OWN.writeContinue &&
    prototype.writeProcessing === NODES_OWN.writeProcessing &&
    prototype.writeEarlyHints === NODES_OWN.writeEarlyHints &&
    prototype.addTrailers === NODES_OWN.addTrailers
  );
}

/**
 * Whether a prototype between the app's and Node's sends in its own way. What an app puts on its own prototype, or on one
 * response, wraps Node's methods, and that is legal.
 */
function hasForeignPrototype(res: Candidate): boolean {
  let prototype = Object.getPrototypeOf(res) as NodeResponse | null;
  while (prototype && isOfExpress(prototype)) prototype = Object.getPrototypeOf(prototype) as NodeResponse | null;
  return prototype === null || !hasNodesMethods(prototype);
}

/** `app.response`, or `express.response`. */
function isOfExpress(prototype: object): boolean {
  return Object.hasOwn(prototype, 'app') || Object.hasOwn(prototype, 'sendStatus');
}

/**
 * The status that the rendered head has; `undefined` as long as there is none. To read in the head makes one string of
 * its twenty parts, so a response should be asked before it is held for long.
 */
export function renderedStatus(res: ServerResponse): number | undefined {
  const head = (res as NodeResponse)._header;
  return head === null || head === '' ? undefined : Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length));
}

/** Whether a body without Content-Length and chunks follows, which only the end of the connection ends. */
export function endsWithConnection(res: ServerResponse): boolean {
  const { _hasBody, _header, chunkedEncoding } = res as NodeResponse;
  if (!_hasBody || chunkedEncoding || res.hasHeader('Content-Length')) return false;
  return !/^content-length:/im.test(_header ?? '');
}

/** Sets headers of a response, whose own methods may do nothing any more. */
export type HeaderWriter = Pick<NodeResponse, 'setHeader' | 'removeHeader'>;

/** Makes `res` tell its observers (access logs, for example) what was sent in its place. */
export function impersonate(res: NodeResponse, sent: NodeResponse, headers: HeaderWriter): void {
  res._header = null;
  for (const name of res.getHeaderNames()) headers.removeHeader(name);
  for (const name of sent.getRawHeaderNames()) headers.setHeader(name, sent.getHeader(name) ?? '');
  fixValue(res, 'statusCode', sent.statusCode);
  fixValue(res, 'statusMessage', sent.statusMessage);
  res._header = sent._header;
  res._headerSent = true;
  res._last = sent._last;
}

/** Fixes a property of a response. Later assignments are ignored and do not throw. */
export function fixValue<K extends keyof NodeResponse>(res: NodeResponse, name: K, value: NodeResponse[K]): void {
  Reflect.defineProperty(res, name, { get: () => value, set() {}, configurable: true, enumerable: true });
}

/** What those hear who wait for something that will not happen any more. */
export function destroyedError(): Error {
  return Object.assign(new Error('The response was destroyed before this was sent.'), { code: 'ERR_STREAM_DESTROYED' });
}

/** Ends a response that was cut where its socket is not Node's, and so emits no event for it. */
export function loseConnection(res: NodeResponse): void {
  nextTick(() => {
    if (res.listenerCount('error') > 0) res.emit('error', destroyedError());
    if (!res.closed) res.emit('close');
  });
}
