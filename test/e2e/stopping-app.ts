/**
 * An app for the tests of start and stop, in a process of its own. It starts and stops as docs/start-and-stop.md says: LIFECYCLE
 * is the URL of a module with the code of that page. Each path has a session. The app reports on the IPC channel.
 */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Express, type Request, type RequestHandler } from 'express';
import { Redis } from 'ioredis';
import {
  type AplSessionMiddleware,
  type AplSessionOptions,
  aplSessionMiddleware,
  MemorySessionStore,
  type SessionStore,
} from '../../lib/index.js';
import { ValkeySessionStore, valkeySessionStoreFactory } from '../../lib/valkey.js';
import { type Report, sessionOf } from './stopping-process.js';

interface Lifecycle {
  start(app: Express, aplSession: AplSessionMiddleware, port: number): Promise<Server>;
  stop(server: Server, aplSession: AplSessionMiddleware, store?: SessionStore): Promise<void>;
}

interface StoreChoice {
  readonly options: Pick<AplSessionOptions, 'store' | 'storeFactories'>;
  /** A store that the app has made, and must close. */
  readonly own?: SessionStore;
  readonly client?: Redis;
}

const { LIFECYCLE = '', STORE = '', VALKEY_ENDPOINT: endpoint = '', COMMAND_TIMEOUT_MS = '2000' } = process.env;
const timeouts = { connectTimeoutMs: 2_000, commandTimeoutMs: Number(COMMAND_TIMEOUT_MS) };

const CHOICES: Readonly<Record<string, () => StoreChoice>> = {
  'no store': () => ({ options: {} }),
  'a memory store': () => own(new MemorySessionStore({ ttlSeconds: 60 })),
  'a block of a memory store': () => ({ options: { store: { kind: 'memory', ttlSeconds: 60 } } }),
  'a Valkey store': () => own(new ValkeySessionStore({ endpoint, ...timeouts })),
  'a block of a Valkey store': () => block({ endpoint }),
  'a Valkey store with a client': () => {
    const client = new Redis(endpoint);
    return { ...own(new ValkeySessionStore({ client, ...timeouts })), client };
  },
  'a block of a Valkey store with a client': () => {
    const client = new Redis(endpoint);
    return { ...block({ client }), client };
  },
};

function own(store: SessionStore): StoreChoice {
  return { options: { store }, own: store };
}

function block(options: object): StoreChoice {
  const store = { kind: 'valkey', ...options, ...timeouts };
  return { options: { store, storeFactories: [valkeySessionStoreFactory] } };
}

function report(message: Report): void {
  process.send?.(message);
}

function addLabel(req: Request, label: string): void {
  req.security.labels.add(label);
  report({ path: req.path, label });
}

const terminated = once(process, 'SIGTERM');

/** Ways in which a request can be in flight when the signal arrives. */
const HANDLERS: Readonly<Record<string, RequestHandler>> = {
  quick(req, res) {
    addLabel(req, 'secret');
    res.send('quick');
  },
  async slow(req, res) {
    addLabel(req, 'secret');
    await terminated;
    addLabel(req, 'late');
    res.send('slow');
  },
  async stream(req, res) {
    addLabel(req, 'secret');
    res.write('first, ');
    await terminated;
    addLabel(req, 'late');
    res.end('last');
  },
  async unanswered(req) {
    addLabel(req, 'secret');
    await terminated;
    addLabel(req, 'late');
  },
  async answered(req, res) {
    res.send('answered');
    await terminated;
    addLabel(req, 'late');
  },
};

const { options, own: store, client } = (CHOICES[STORE] as () => StoreChoice)();
const aplSession = aplSessionMiddleware({
  session: (req) => sessionOf(req.path),
  logger: { warn() {}, error() {} },
  onAlarm: (alarm) => report({ alarm }),
  ...options,
});
const app = express().use(aplSession);
for (const [kind, handler] of Object.entries(HANDLERS)) {
  // the route in an alarm names the path
  for (let number = 0; number < 5; number += 1) app.get(`/${kind}/${number}`, handler);
  app.get(`/${kind}/:number`, handler);
}

const { start, stop } = (await import(LIFECYCLE)) as Lifecycle;
const server = await start(app, aplSession, 0);
process.once('SIGTERM', () => void stop(server, aplSession, store).then(() => client?.disconnect()));
server.once('close', () => report({ serverClosed: true }));
report({ port: (server.address() as AddressInfo).port });
