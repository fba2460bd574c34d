import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect } from 'chai';
import type { Request, Response } from 'express';
import {
  type Alarm,
  type AplSessionMiddleware,
  type AplSessionOptions,
  aplSessionMiddleware,
  type RequestSecurity,
} from '../../lib/index.js';
import { HeldStore } from './held-store.js';
import { get, type RunningServer, serve, Wire } from './raw-http.js';

export type GatedHandler = (res: ServerResponse, security: RequestSecurity, req: IncomingMessage) => unknown;

/**
 * Gives each request its own session, because a label of one request holds the responses of all requests of its session.
 * The list of headers identifies the request: other objects of the same request share it.
 * @param prefix must differ between apps that share a store
 */
export function sessionPerRequest(prefix = 's'): (req: IncomingMessage) => string {
  const ids = new WeakMap<object, string>();
  let count = 0;
  return ({ rawHeaders }) => {
    const id = ids.get(rawHeaders) ?? `${prefix}${++count}`;
    ids.set(rawHeaders, id);
    return id;
  };
}

/** A plain Node server with the middleware in front of a handler; the path `/probe` has no session. */
export class GatedServer {
  readonly store = new HeldStore();
  readonly alarms: Alarm[] = [];
  readonly #wires: Wire[] = [];
  #middleware: AplSessionMiddleware | undefined;
  #running: RunningServer | undefined;

  async start(handler: GatedHandler, options: Partial<AplSessionOptions> = {}): Promise<this> {
    const sessionOf = sessionPerRequest();
    const middleware = aplSessionMiddleware({
      session: (req) => (req.url === '/probe' ? undefined : sessionOf(req)),
      store: this.store,
      storeTimeoutMs: 60_000,
      logger: { warn() {}, error() {} },
      onAlarm: (alarm) => this.alarms.push(alarm),
      ...options,
    });
    this.#middleware = middleware;
    this.#running = await serve((req, res) => {
      middleware(req as Request, res as Response, (error) => {
        if (error) throw error;
        if (req.url === '/probe') res.end('probe answered');
        else handler(res, (req as Request).security, req);
      });
    });
    return this;
  }

  get server() {
    if (!this.#running) throw new Error('not started');
    return this.#running.server;
  }

  get middleware(): AplSessionMiddleware {
    if (!this.#middleware) throw new Error('not started');
    return this.#middleware;
  }

  /** Opens a connection and sends a request on it. */
  request(text: string = get('/', { Connection: 'close' })): Wire {
    if (!this.#running) throw new Error('not started');
    const wire = new Wire(this.#running.port);
    this.#wires.push(wire);
    wire.send(text);
    return wire;
  }

  /** A whole exchange on another connection: what was sent to others before has arrived when it is over. */
  async roundTrip(): Promise<string> {
    return this.request(get('/probe', { Connection: 'close' })).closed();
  }

  async stop(): Promise<void> {
    for (const wire of this.#wires) wire.destroy();
    await this.#running?.close();
  }
}

/** Requests that follow on the same connection are read and served. */
export async function expectLaterAnswers(wire: Wire): Promise<void> {
  wire.send(get('/later'));
  await wire.until(/later answered/);
  wire.send(get('/later', { Connection: 'close' }));
  expect((await wire.closed()).match(/later answered/g)).to.have.length(2);
}
