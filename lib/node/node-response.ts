import { type IncomingMessage, ServerResponse } from 'node:http';
import { nextTick } from '../util/clock.js';
import { memberOf } from '../util/member-of.js';

const { hasHeader } = ServerResponse.prototype;

export type WriteCallback = ((error?: Error | null) => void) | null | undefined;

/** One piece of output that Node has buffered. */
export interface PendingOutput {
  /** `null` once a flush has reached it. */
  data: string | Buffer | null;
  encoding: BufferEncoding | null | undefined;
  callback: WriteCallback;
}

/**
 * The undocumented members of a `ServerResponse` that this package uses: the buffer in which Node keeps the output of a
 * response that waits in a pipeline. All output passes `_writeRaw`, which adds it to `outputData` if the response does not
 * have its turn; `_flush` sends the buffer. No file outside this folder may name these members.
 */
export interface NodeResponse extends ServerResponse<IncomingMessage> {
  /** The rendered status line and headers; `null` before that. Some serverless runtimes start with an empty string. */
  _header: string | null;
  /** Whether the header section was passed to `_writeRaw`. */
  _headerSent: boolean;
  /** Whether a body may follow: not for HEAD, 204 and 304. */
  _hasBody: boolean;
  /** Whether the connection ends with this response. */
  _last: boolean;
  /** What `closed` returns. */
  _closed: boolean;
  maxRequestsOnConnectionReached: boolean;
  /** Documented; missing in the types of Node 20. */
  getRawHeaderNames(): string[];
  _keepAliveTimeout: number;
  outputData: PendingOutput[];
  outputSize: number;
  /** Called for each change of `outputSize`, which counts for the connection. */
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

/** Methods of a response that return the response. */
export const CHAINING_METHODS = ['setHeader', 'setHeaders', 'appendHeader', 'writeHead', 'writeHeader'];
/** Methods that return nothing, without `uncork`: corked output must leave even after a denial. */
export const VOID_METHODS = [
  'removeHeader',
  'addTrailers',
  'flushHeaders',
  'cork',
  'writeContinue',
  'writeProcessing',
  'writeEarlyHints',
  'writeInformation',
];

/** Whether the header section of a response is rendered, sent or not. */
export function hasHead(res: ServerResponse): boolean {
  return Boolean(memberOf(res as NodeResponse, '_header'));
}

/**
 * The status in the rendered header section; `undefined` before that. Reading the header section makes V8 join its twenty
 * parts into one string, so read it before a long hold.
 */
export function renderedStatus(res: ServerResponse): number | undefined {
  const head = memberOf(res as NodeResponse, '_header');
  return head === null || head === '' ? undefined : Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length));
}

/** The header section of a response, as it will leave. */
export interface RenderedHead {
  readonly status: number;
  /** By their names in lower case. Values of one name are joined by a comma and a space. */
  readonly headers: ReadonlyMap<string, string>;
  /** Whether bytes of a body may follow. */
  readonly hasBody: boolean;
}

/** `undefined` before the header section is rendered. The header methods do not show what `writeHead()` has added. */
export function renderedHead(res: ServerResponse): RenderedHead | undefined {
  const status = renderedStatus(res);
  if (status === undefined) return undefined;
  const { _header, _hasBody } = res as NodeResponse;
  const headers = new Map<string, string>();
  for (const line of (_header ?? '').split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const earlier = headers.get(name);
    headers.set(name, earlier === undefined ? value : `${earlier}, ${value}`);
  }
  return { status, headers, hasBody: _hasBody && headers.get('content-length') !== '0' };
}

/** Whether the body of a response is close-delimited (RFC 9112, 6.3): it has neither a Content-Length nor chunks. */
export function isCloseDelimited(response: ServerResponse): boolean {
  const res = response as NodeResponse;
  if (!memberOf(res, '_hasBody') || memberOf(res, 'chunkedEncoding')) return false;
  return !hasHeader.call(res, 'Content-Length') && !/^content-length:/im.test(memberOf(res, '_header') ?? '');
}

/** Sets headers of a response whose own methods may drop every call. */
export type HeaderWriter = Pick<NodeResponse, 'setHeader' | 'removeHeader'>;

/** Makes `res` show the status and headers of the response that was sent in its place, for access logs for example. */
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

/** Drops all later output of a response. `onDropped` gets the callback of each piece. */
export function dropOutput(res: NodeResponse, onDropped?: (callback: NonNullable<WriteCallback>) => void): void {
  res._writeRaw = (_data, encoding, callback) => {
    const written = typeof encoding === 'function' ? encoding : callback;
    if (written && onDropped) onDropped(written);
    return onDropped !== undefined;
  };
}

/** Fixes a property of a response. Later assignments have no effect and do not throw. */
export function fixValue<K extends keyof NodeResponse>(res: NodeResponse, name: K, value: NodeResponse[K]): void {
  Reflect.defineProperty(res, name, { get: () => value, set() {}, configurable: true, enumerable: true });
}

/** The error for callbacks of dropped output. */
export function destroyedError(): Error {
  return Object.assign(new Error('The response was destroyed before this was sent.'), { code: 'ERR_STREAM_DESTROYED' });
}

/** Emits the end of a response that was cut, for a socket that is not a Socket of Node and so emits nothing itself. */
export function emitClose(res: NodeResponse): void {
  nextTick(() => {
    if (res.listenerCount('error') > 0) res.emit('error', destroyedError());
    if (!res.closed) res.emit('close');
  });
}
