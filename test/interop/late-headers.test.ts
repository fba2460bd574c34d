import { expect } from 'chai';
import type { Request, RequestHandler } from 'express';
import onHeaders from 'on-headers';
import { aplSessionMiddleware, MemorySessionStore, taint } from '../../lib/index.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { sessionPerRequest } from '../support/gated-server.js';
import { exchange, get, serve } from '../support/raw-http.js';

/** Loads, but never appends. */
class AppendFailingStore extends MemorySessionStore {
  override async appendLabels(): Promise<void> {
    throw new Error('down');
  }
}

type Stateful = Request & { state?: string };

/** Writes what handlers have put on the request into a cookie when the head is made, as cookie-session does. */
const stateCookie: RequestHandler = (req: Stateful, res, next) => {
  onHeaders(res, () => {
    if (req.state) res.setHeader('Set-Cookie', `state=${req.state}`);
  });
  next();
};

describe('with middleware that writes handler state into the head (P61)', () => {
  for (const [version, express] of EXPRESS_VERSIONS) {
    for (const position of ['before', 'after'] as const) {
      for (const [path, code] of [
        ['/guard', 'session.persist_failed'],
        ['/deny', 'policy.refused'],
        ['/answer', 'session.persist_failed'],
      ] as const) {
        it(`${version}: G2: ${path} mounted ${position}: not on the denial`, async () => {
          const app = express();
          if (position === 'before') app.use(stateCookie);
          app.use(
            aplSessionMiddleware({
              session: sessionPerRequest(),
              store: new AppendFailingStore(),
              logger: { warn() {}, error() {} },
            }),
          );
          if (position === 'after') app.use(stateCookie);
          app.use((req: Stateful, _res, next) => {
            req.state = 'salary-4711';
            next();
          });
          app.get('/guard', taint('secret'), (_req, res) => void res.end('x'));
          app.get('/deny', (req) => req.security.deny({ code: 'policy.refused', reason: 'for the test' }));
          app.get('/answer', (req, res) => {
            req.security.labels.add('secret');
            res.end('x');
          });
          const server = await serve(app);
          const { text } = await exchange(server.port, get(path, { Connection: 'close' }));
          await server.close();
          expect(text)
            .to.match(/^HTTP\/1\.1 403 Forbidden\r\n/)
            .and.to.contain(`"code":"${code}"`);
          expect(text).not.to.contain('salary');
        });
      }
    }
  }
});
