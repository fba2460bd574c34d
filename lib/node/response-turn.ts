import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { AplSessionError } from '../contract/errors.js';
import { destroyConnection } from './connection.js';
import type { NodeResponse } from './server-response.js';

/** A socket as Node's HTTP server uses it: with the response whose turn it is, and the latest request that has come. */
type ServerSocket = Socket & {
  _httpMessage?: NodeResponse | null;
  parser?: { readonly incoming?: IncomingMessage | null } | null;
};

/**
 * Is told and asked everything in the place of its response. That it is another object matters, and that who closes a
 * server by it finds a response that is held as it would find one that has not answered yet.
 */
function standInOf(current: NodeResponse, isHeadOut: () => boolean): NodeResponse {
  return new Proxy(current, {
    get(res, name) {
      // by this a server that closes tells idle connections, and one that others wait for is not
      if (name === 'finished') return res.finished && !isFollowed(res);
      if (name === 'headersSent') return res.headersSent && isHeadOut();
      if (name === 'setHeader' && res.headersSent) return closeAfter.bind(undefined, res);
      const value: unknown = Reflect.get(res, name);
      const isFixed = Reflect.getOwnPropertyDescriptor(res, name)?.configurable === false;
      return typeof value === 'function' && !isFixed ? value.bind(res) : value;
    },
    set: (res, name, value) => Reflect.set(res, name, value),
  });
}

/** The head is made, so a `Connection: close` is obeyed and not sent. HTTP allows that (RFC 9112, 9.6). */
function closeAfter(res: NodeResponse, name: string, value: unknown): NodeResponse {
  if (!/^connection$/i.test(name) || !/\bclose\b/i.test(String(value)))
    return res.setHeader(name, String(value)) as NodeResponse;
  res._last = true;
  return res;
}

/** Whether a younger request has come on the same connection. */
function isFollowed({ req }: NodeResponse): boolean {
  const latest = (req.socket as ServerSocket | null)?.parser?.incoming;
  return latest !== undefined && latest !== null && latest !== req;
}

/** Makes whatever comes on a connection wait for ever: its last response is over. */
export function occupy(connection: Socket, last: NodeResponse): void {
  const socket: ServerSocket = connection;
  socket._httpMessage ??= standInOf(last, () => true);
}

/** Hears of the turn of a response that has waited in a pipeline. */
export interface TurnListener {
  /** Whether the head has left, while the response has no turn. */
  readonly headOut: boolean;
  onTurn(): void;
}

/**
 * A response's turn on its connection. A response that is not the socket's current one keeps what it sends: so Node
 * does it in a pipeline. This makes one wait though it is its turn, and everybody else on the connection wait for it.
 */
export class ResponseTurn {
  readonly #res: NodeResponse;
  readonly #listener: TurnListener;
  #suspended = false;
  #standIn: NodeResponse | undefined;
  #awaitsSocket = false;

  constructor(res: NodeResponse, listener: TurnListener) {
    this.#res = res;
    this.#listener = listener;
  }

  suspend(): void {
    this.#suspended = true;
    const socket: ServerSocket | null = this.#res.socket;
    if (!socket) {
      this.#awaitSocket();
      return;
    }
    const current = socket._httpMessage;
    if (current === this.#res) {
      this.#standIn = standInOf(current, () => this.#listener.headOut);
      socket._httpMessage = this.#standIn;
    } else if (current) {
      // whose turn it is, and who sends, is not to be known here
      destroyConnection(
        socket,
        new AplSessionError('runtime.unsupported', 'The connection is in use by another response.'),
      );
    }
  }

  resume(): void {
    this.#suspended = false;
    const socket: ServerSocket | null = this.#res.socket;
    if (this.#standIn && socket?._httpMessage === this.#standIn) socket._httpMessage = this.#res;
    this.#standIn = undefined;
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
      // whoever listens to this event may write at once, so this must be the first to hear of it
      res.prependOnceListener('socket', onSocket);
      assignSocket.call(res, socket);
    };
    res._flush = () => {
      if (!this.#suspended) _flush.call(res);
    };
  }
}
