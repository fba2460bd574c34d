import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { AplSessionError } from '../contract/errors.js';
import { unshadowAll } from './shadow-methods.js';

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
  /** The rendered head, once there is one. */
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
  _flush(): void;
}

const NODES_OWN = ServerResponse.prototype as NodeResponse;

/**
 * Throws for a response that has no such place, or passes it by: HTTP/2 compatibility responses, mocks, subclasses that
 * send in their own way.
 * @throws AplSessionError `runtime.unsupported`
 */
export function assertGateable(res: object): void {
  const { _writeRaw, _onPendingData } = res as Partial<NodeResponse>;
  if (_writeRaw === NODES_OWN._writeRaw && typeof _onPendingData === 'function') return;
  throw new AplSessionError(
    'runtime.unsupported',
    'This response cannot be held back: it is no HTTP/1 ServerResponse of Node. HTTP/2 and mock responses are not supported.',
  );
}

/**
 * The status that the rendered head has; `undefined` as long as there is none. To read in the head makes one string of
 * its twenty parts, so a response should be asked before it is held for long.
 */
export function renderedStatus(res: ServerResponse): number | undefined {
  const head = (res as NodeResponse)._header;
  return head === null ? undefined : Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length));
}

/** Whether a body without Content-Length and chunks follows, which only the end of the connection ends. */
export function endsWithConnection(res: ServerResponse): boolean {
  const { _hasBody, _header, chunkedEncoding } = res as NodeResponse;
  if (!_hasBody || chunkedEncoding || res.hasHeader('Content-Length')) return false;
  return !/^content-length:/im.test(_header ?? '');
}

/** Makes `res` tell its observers (access logs, for example) what was sent in its place. */
export function impersonate(res: NodeResponse, sent: NodeResponse): void {
  res._header = null;
  for (const name of res.getHeaderNames()) res.removeHeader(name);
  for (const name of sent.getRawHeaderNames()) res.setHeader(name, sent.getHeader(name) ?? '');
  res.statusCode = sent.statusCode;
  res.statusMessage = sent.statusMessage;
  res._header = sent._header;
  res._headerSent = true;
  res._last = sent._last;
}

/** What those hear who wait for something that will not happen any more. */
export function destroyedError(): Error {
  return Object.assign(new Error('The response was destroyed before this was sent.'), { code: 'ERR_STREAM_DESTROYED' });
}

/** By which method Node ends a connection after its last response. Streams that only look like sockets have one less. */
export function endingMethodOf(socket: Socket): 'destroySoon' | 'end' {
  return typeof socket.destroySoon === 'function' ? 'destroySoon' : 'end';
}

/**
 * Ends a connection in a way that cannot be taken for the end of a response: with a reset, where there is TCP below.
 * A TLS socket is reset below the encryption, as its own end would be a clean one for some clients.
 */
export function resetConnection(socket: Socket, error?: Error): void {
  const { _parent } = socket as Socket & { _parent?: Socket };
  // nobody is to put this off
  unshadowAll(socket);
  try {
    (_parent ?? socket).resetAndDestroy();
  } catch {
    // Unix sockets and streams that only look like sockets have no reset
  }
  socket.destroy(error);
}
