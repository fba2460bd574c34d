import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { AplSessionError } from '../contract/errors.js';

export type WriteCallback = ((error?: Error | null) => void) | null | undefined;

/** One piece of a response that Node keeps because the socket may not have it yet. */
export interface PendingOutput {
  data: string | Buffer;
  encoding: BufferEncoding | null | undefined;
  callback: WriteCallback;
}

/**
 * What the gate uses of a `ServerResponse` beyond its documented part: the place where Node itself keeps the bytes of a
 * response that waits for its turn in a pipeline. Everything that a response sends, of whatever kind, passes
 * `_writeRaw` (a piece at a time) or `_flush` (what was kept). Nothing outside this folder names these members.
 */
export interface NodeResponse extends ServerResponse<IncomingMessage> {
  /** The rendered head, once there is one. */
  _header: string | null;
  /** Whether the head was passed to `_writeRaw`. */
  _headerSent: boolean;
  /** Whether the connection ends with this response. */
  _last: boolean;
  maxRequestsOnConnectionReached: boolean;
  /** Documented for every outgoing message; missing in the types of Node 20. */
  getRawHeaderNames(): string[];
  _keepAliveTimeout: number;
  outputData: PendingOutput[];
  outputSize: number;
  /** Accounts for kept bytes on the connection. */
  _onPendingData(delta: number): void;
  _writeRaw(
    data: string | Buffer,
    encoding?: BufferEncoding | null | WriteCallback,
    callback?: WriteCallback,
    size?: number,
  ): boolean;
  _flush(): void;
}

/**
 * Throws for a response that has no such place: HTTP/2 compatibility responses, mocks.
 * @throws AplSessionError `runtime.unsupported`
 */
export function assertGateable(res: object): void {
  const { _writeRaw, _flush, outputData } = res as Partial<NodeResponse>;
  if (typeof _writeRaw === 'function' && typeof _flush === 'function' && Array.isArray(outputData)) return;
  throw new AplSessionError(
    'runtime.unsupported',
    'This response cannot be held back: it is no HTTP/1 ServerResponse of Node. HTTP/2 and mock responses are not supported.',
  );
}

/** The status that the rendered head has; `undefined` as long as there is none. */
export function renderedStatus(res: ServerResponse): number | undefined {
  const head = (res as NodeResponse)._header;
  return head === null ? undefined : Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length));
}

/**
 * Whether `writableFinished` is true from `end()` on, for as long as nothing is queued (Node before 26), and not from
 * `finish` on.
 */
export const FINISHES_AT_END: boolean = (() => {
  const res = new ServerResponse(new IncomingMessage(new Socket()));
  res.finished = true;
  return res.writableFinished;
})();

/** Whether a body without Content-Length and chunks follows, which only the end of the connection ends. */
export function endsWithConnection(res: ServerResponse): boolean {
  const { _header, chunkedEncoding } = res as NodeResponse;
  if (chunkedEncoding || res.hasHeader('Content-Length')) return false;
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

/** By which method Node ends a connection after its last response. Streams that only look like sockets have one less. */
export function endingMethodOf(socket: Socket): 'destroySoon' | 'end' {
  return typeof socket.destroySoon === 'function' ? 'destroySoon' : 'end';
}

/**
 * Ends a connection in a way that cannot be taken for the end of a response: with a reset, where there is TCP below.
 * A TLS socket is reset below the encryption, as its own end would be a clean one for some clients.
 */
export function resetConnection(socket: Socket): void {
  const { _parent } = socket as Socket & { _parent?: Socket };
  try {
    (_parent ?? socket).resetAndDestroy();
  } catch {
    // Unix sockets and streams that only look like sockets have no reset
  }
  socket.destroy();
}

/**
 * Asks this Node, with a response that has no socket, whether all of its output passes the two doors on which the gate
 * stands. Run once per middleware, so that a future Node that goes other ways is refused and not trusted.
 * @throws AplSessionError `runtime.unsupported`
 */
export function assertGateableRuntime(): void {
  const probes: ReadonlyArray<(res: ServerResponse) => unknown> = [
    (res) => res.end('x'),
    (res) => res.write('x'),
    (res) => res.flushHeaders(),
    (res) => res.writeContinue(),
    (res) => res.writeProcessing(),
    (res) => res.writeEarlyHints({ link: '</x>' }),
  ];
  const gateable = probes.every((probe) => {
    const res = new ServerResponse(new IncomingMessage(new Socket())) as NodeResponse;
    if (typeof res._flush !== 'function' || typeof res._onPendingData !== 'function') return false;
    let intercepted = false;
    res._writeRaw = () => {
      intercepted = true;
      return false;
    };
    probe(res);
    // the head may wait in outputData for the piece that follows it, but no piece may be there that was not offered
    return intercepted && res.outputData.every(({ data }) => data === res._header);
  });
  if (gateable) return;
  throw new AplSessionError(
    'runtime.unsupported',
    `This runtime (${process.version}) sends response bytes in a way that cannot be held back. Use Node 20.19 or newer, 22 or 24.`,
  );
}
