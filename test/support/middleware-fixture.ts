import type { Express, NextFunction, Request, RequestHandler, Response } from 'express';
import {
  type Alarm,
  type AplSessionMiddleware,
  type AplSessionOptions,
  aplSessionMiddleware,
} from '../../lib/index.js';
import type { ExpressModule } from './express-versions.js';
import { type RunningServer, serve } from './raw-http.js';

export const SESSION = 'session-of-alice';
export const LABEL = 'secret-label';

export const ok: RequestHandler = (_req, res) => void res.send('ok');

export const addLabel: RequestHandler = (req, _res, next) => {
  req.security.labels.add(LABEL);
  next();
};

/** Adds a label when a byte has left. */
export const labelAfterFirstByte: RequestHandler = (req, res) => {
  res.write('first', () => {
    req.security.labels.add(LABEL);
    res.end('second');
  });
};

/** A method of a store that always fails. */
export function rejecting(message = 'store failed'): () => Promise<never> {
  return () => Promise.reject(new Error(message));
}

export function thrower(message: string): never {
  throw new Error(message);
}

/** Shows the code of an error, as an app's own error handler could. */
export function answerError(error: Error & { code?: string }, _req: Request, res: Response, _next: NextFunction): void {
  res.status(500).send(`${error.code} ${error.message}`);
}

export interface MiddlewareFixture {
  /** The alarms of the current test. */
  readonly alarms: Alarm[];
  /** Requests that reached a handler behind the middleware. */
  readonly seen: Request[];
  middlewareWith(options?: Partial<AplSessionOptions>): AplSessionMiddleware;
  /** An app of these handlers; it notes the requests that get behind the first. */
  appOf(...handlers: RequestHandler[]): Express;
  listen(app: Express): Promise<RunningServer>;
}

/** What tests of the middleware need. Call it in a `describe`: it registers hooks that start and stop with each test. */
export function middlewareFixture(express: ExpressModule): MiddlewareFixture {
  const servers: RunningServer[] = [];
  const alarms: Alarm[] = [];
  const seen: Request[] = [];

  beforeEach(() => {
    alarms.length = 0;
    seen.length = 0;
  });
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });

  return {
    alarms,
    seen,
    middlewareWith: (options = {}) =>
      aplSessionMiddleware({
        session: () => SESSION,
        logger: { warn() {}, error() {} },
        onAlarm: (alarm) => void alarms.push(alarm),
        ...options,
      }),
    appOf(...handlers) {
      const [first = ok, ...rest] = handlers;
      const note: RequestHandler = (req, _res, next) => {
        seen.push(req);
        next();
      };
      return express()
        .set('env', 'test')
        .use(first, note, ...rest);
    },
    async listen(app) {
      const server = await serve(app);
      servers.push(server);
      return server;
    },
  };
}
