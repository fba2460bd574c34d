import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { AplSessionError } from '../contract/errors.js';
import { memberOf } from '../util/member-of.js';
import { destroyConnection } from './connection.js';
import type { NodeResponse } from './node-response.js';

/** A socket of Node's HTTP server, with the response whose turn it is and the parser of its requests. */
export type ServerSocket = Socket & {
  _httpMessage?: NodeResponse | null;
  parser?: { readonly incoming?: IncomingMessage | null } | null;
};

export interface TurnListener {
  /** Whether the header section of the response has left. */
  readonly isHeadOut: boolean;
  /** The response has waited in a pipeline, and gets its turn. */
  onTurn(): void;
}

/**
 * A response's turn on its connection. Node buffers the output of a response that is not the current response of its
 * socket, as for pipelined requests. `suspend` makes the current response wait in the same way, and all later responses
 * of the connection wait behind it.
 */
export class ResponseTurn {
  readonly #res: NodeResponse;
  readonly #listener: TurnListener;
  #suspended = false;
  /** The proxy that is the socket's current response while this one is suspended. */
  #placeholder: NodeResponse | undefined;
  #awaitsSocket = false;

  constructor(res: NodeResponse, listener: TurnListener) {
    this.#res = res;
    this.#listener = listener;
  }

  suspend(): void {
    this.#suspended = true;
    const socket: ServerSocket | null = memberOf(this.#res, 'socket');
    if (!socket) {
      this.#awaitSocket();
      return;
    }
    const current = socket._httpMessage;
    if (current === this.#res) {
      this.#placeholder = new Proxy(current, new Placeholder(this.#listener));
      socket._httpMessage = this.#placeholder;
    } else if (current) {
      // fail closed: another response owns the socket, so nothing can hold this one
      destroyConnection(
        socket,
        new AplSessionError('runtime.unsupported', 'The connection is in use by another response.'),
      );
    }
  }

  resume(): void {
    this.#suspended = false;
    const socket: ServerSocket | null = memberOf(this.#res, 'socket');
    if (this.#placeholder && socket?._httpMessage === this.#placeholder) socket._httpMessage = this.#res;
    this.#placeholder = undefined;
  }

  #awaitSocket(): void {
    if (this.#awaitsSocket) return;
    this.#awaitsSocket = true;
    const res = this.#res;
    const { assignSocket, _flush } = res;
    const onSocket = (): void => {
      if (this.#suspended) this.suspend();
      this.#listener.onTurn();
    };
    res.assignSocket = (socket: Socket) => {
      // this listener must run first, as the others may write at once
      res.prependOnceListener('socket', onSocket);
      assignSocket.call(res, socket);
    };
    res._flush = () => {
      if (!this.#suspended) _flush.call(res);
    };
  }
}

/** Keeps all later responses of a connection waiting, because its last response has ended. */
export function blockPipeline(connection: Socket, last: NodeResponse): void {
  const socket: ServerSocket = connection;
  socket._httpMessage ??= new Proxy(last, new Placeholder({ isHeadOut: true }));
}

/**
 * The handler of a proxy for a response. The proxy differs only in identity, so that Node buffers the output of the response, and
 * in what a closing server asks of it: a held response must look like one that has not answered yet.
 */
class Placeholder implements ProxyHandler<NodeResponse> {
  readonly #head: Pick<TurnListener, 'isHeadOut'>;

  constructor(head: Pick<TurnListener, 'isHeadOut'>) {
    this.#head = head;
  }

  get(res: NodeResponse, name: PropertyKey): unknown {
    // a closing server takes a finished response for an idle connection, although a pipelined request may wait behind it
    if (name === 'finished') return res.finished && !isFollowed(res);
    if (name === 'headersSent') return res.headersSent && this.#head.isHeadOut;
    if (name === 'setHeader' && res.headersSent) return closeAfter.bind(undefined, res);
    const value: unknown = Reflect.get(res, name);
    const isFixed = Reflect.getOwnPropertyDescriptor(res, name)?.configurable === false;
    return typeof value === 'function' && !isFixed ? value.bind(res) : value;
  }

  set(res: NodeResponse, name: PropertyKey, value: unknown): boolean {
    return Reflect.set(res, name, value);
  }
}

/** Obeys a `Connection: close` that is set after the header section was rendered, without sending it (RFC 9112, 9.6). */
function closeAfter(res: NodeResponse, name: string, value: unknown): NodeResponse {
  if (!/^connection$/i.test(name) || !/\bclose\b/i.test(String(value)))
    return res.setHeader(name, String(value)) as NodeResponse;
  res._last = true;
  return res;
}

/** Whether a later request has arrived on the same connection. */
function isFollowed({ req }: NodeResponse): boolean {
  const latest = (req.socket as ServerSocket | null)?.parser?.incoming;
  return latest !== undefined && latest !== null && latest !== req;
}
