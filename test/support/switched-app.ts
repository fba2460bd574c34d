import type { Express, RequestHandler } from 'express';
import { securityContext } from '../../lib/context.js';
import { type Alarm, aplSessionMiddleware, type SessionStore } from '../../lib/index.js';
import { deferred } from './deferred.js';
import type { ExpressModule } from './express-versions.js';
import { serve } from './raw-http.js';

export const SALARY = 'salary 98000';
export const LABEL = 'secret';
export const VIOLATION = { code: 'session_tainted', reason: 'session touched secret data' };

/** A store in memory whose appends the test lets succeed, fail or wait. */
export class SwitchedStore implements SessionStore {
  readonly stored = new Set<string>();
  readonly appends: Array<readonly string[]> = [];
  mode: 'works' | 'fails' | 'waits' = 'works';
  #release = deferred<void>();

  /** Only the session of Alice has labels. */
  async loadLabels(id: string): Promise<string[]> {
    return id === 'bob' ? [] : [...this.stored];
  }

  async appendLabels(_id: string, labels: readonly string[]): Promise<void> {
    this.appends.push(labels);
    if (this.mode === 'waits') await this.#release.promise;
    if (this.mode === 'fails') throw new Error('down');
    for (const label of labels) this.stored.add(label);
  }

  release(): void {
    this.mode = 'works';
    this.#release.resolve();
  }
}

/** Answers a probe, see {@link SwitchedApp.probe}. */
export const probed: RequestHandler = (_req, res) => void res.send('probed');

/** An app over a {@link SwitchedStore}. Make it in a `describe`: it registers hooks that start and stop with each test. */
export class SwitchedApp {
  /** New for each test. */
  store = new SwitchedStore();
  alarms: Alarm[] = [];
  origin = '';
  readonly #express: ExpressModule;
  readonly #cleanUp: Array<() => unknown> = [];

  constructor(express: ExpressModule) {
    this.#express = express;
    beforeEach(() => {
      this.store = new SwitchedStore();
      this.alarms = [];
    });
    afterEach(async () => {
      this.store.release();
      for (const clean of this.#cleanUp.splice(0).reverse()) await clean();
    });
  }

  /** The test's own, called after the test; the last one first. */
  cleanUp(clean: () => unknown): void {
    this.#cleanUp.push(clean);
  }

  async start(build: (app: Express) => void): Promise<void> {
    const express = this.#express;
    const app = express().set('env', 'test');
    const apl = aplSessionMiddleware({
      session: (req) => req.get('x-session') ?? 'alice',
      store: this.store,
      storeTimeoutMs: 60_000,
      logger: { warn() {}, error() {} },
      onAlarm: (alarm) => void this.alarms.push(alarm),
    });
    app.use(express.json(), apl, securityContext());
    build(app);
    const running = await serve(app);
    this.origin = `http://127.0.0.1:${running.port}`;
    this.cleanUp(running.close);
  }

  async ask(path: string, init: RequestInit = {}): Promise<{ status: number; text: string }> {
    const answer = await fetch(this.origin + path, init);
    return { status: answer.status, text: await answer.text() };
  }

  /** A request of another session, which nothing holds: what was sent before has arrived when it is answered. */
  probe(): Promise<{ status: number; text: string }> {
    return this.ask('/probe', { headers: { 'x-session': 'bob' } });
  }
}
