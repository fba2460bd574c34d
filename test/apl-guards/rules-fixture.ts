import type { ErrorRequestHandler, Express, RequestHandler } from 'express';
import { type Alarm, type AplSessionOptions, aplSessionMiddleware, type SessionStore } from '../../lib/index.js';
import type { ExpressModule } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';
import { type RunningServer, serve } from '../support/raw-http.js';

export const SESSION = 'session-of-alice';
export const LABEL = 'secret-label';

/** A store that has these labels, and remembers what is appended. */
export class RememberingStore implements SessionStore {
  readonly appended: string[] = [];
  readonly #labels: Set<string>;

  constructor(...labels: string[]) {
    this.#labels = new Set(labels);
  }

  async loadLabels(): Promise<string[]> {
    return [...this.#labels];
  }

  async appendLabels(_sessionId: string, labels: readonly string[]): Promise<void> {
    this.appended.push(...labels);
    for (const label of labels) this.#labels.add(label);
  }
}

export const failingStore = (): ScriptedStore => new ScriptedStore({ append: () => Promise.reject(new Error('down')) });

export interface RulesFixture {
  /** The alarms of the current test. */
  readonly alarms: Alarm[];
  /** How many handlers have run in the current test. */
  handled(): number;
  /** Answers with `{ handled: true }`, and counts. */
  readonly handler: RequestHandler;
  /** An app with a JSON parser and the middleware; the caller adds routes. */
  app(store?: SessionStore, options?: Partial<AplSessionOptions>): Express;
  listen(app: Express): Promise<RunningServer>;
}

/** What tests of rules need. Call it in a `describe`: it registers hooks that start and stop with each test. */
export function rulesFixture(express: ExpressModule): RulesFixture {
  const servers: RunningServer[] = [];
  const alarms: Alarm[] = [];
  let handled = 0;
  beforeEach(() => {
    alarms.length = 0;
    handled = 0;
  });
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });
  return {
    alarms,
    handled: () => handled,
    handler(_req, res) {
      handled++;
      res.json({ handled: true });
    },
    app(store = new RememberingStore(), options = {}) {
      const app = express().set('env', 'test');
      app.use(express.json());
      app.use(
        aplSessionMiddleware({
          session: () => SESSION,
          store,
          logger: { warn() {}, error() {} },
          onAlarm: (alarm) => void alarms.push(alarm),
          ...options,
        }),
      );
      return app;
    },
    async listen(app) {
      const server = await serve(app);
      servers.push(server);
      return server;
    },
  };
}

/** Answers with the code of an error, as an app's own error handler could. */
export const answerError: ErrorRequestHandler = (error, _req, res, _next) =>
  void res.status(500).json({ code: String(error.code) });
