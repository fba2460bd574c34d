import { once } from 'node:events';
import { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { http as register } from '@google-cloud/functions-framework';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { expect } from 'chai';
import type { ErrorRequestHandler, Express } from 'express';
import inject from 'light-my-request';
import serverlessHttp from 'serverless-http';
import { type Alarm, aplSessionMiddleware, type SessionStore } from '../../lib/index.js';
import { EXPRESS_VERSIONS, type ExpressModule } from '../support/express-versions.js';
import { ScriptedStore, SlowStore } from '../support/failing-stores.js';
import { sessionPerRequest } from '../support/gated-server.js';

/** Its types need the types of AWS. */
const { configure: serverlessExpress } = createRequire(import.meta.url)('@codegenie/serverless-express') as {
  configure(options: { app: Express }): (event: object, context: object) => Promise<unknown>;
};

const SALARY = 'salary-4711';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** Sends a request to an app in a runtime without an HTTP server, or with its own. */
type Runtime = (app: Express, path: string) => Promise<Answer>;

const event = (path: string) => ({
  version: '2.0',
  routeKey: '$default',
  rawPath: path,
  rawQueryString: '',
  headers: { host: 'test' },
  requestContext: { http: { method: 'GET', path, sourceIp: '127.0.0.1', protocol: 'HTTP/1.1' }, stage: '$default' },
  isBase64Encoded: false,
});
interface LambdaAnswer {
  readonly statusCode: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}
const answerOf = (answer: unknown): Answer => {
  const { statusCode: status, headers, body } = answer as LambdaAnswer;
  return { status, headers, body };
};

let functions = 0;
const RUNTIMES: Readonly<Record<string, Runtime>> = {
  'serverless-http': async (app, path) => answerOf(await serverlessHttp(app)(event(path), {})),
  '@codegenie/serverless-express': async (app, path) => {
    return answerOf(await serverlessExpress({ app })(event(path), {}));
  },
  '@google-cloud/functions-framework': async (app, path) => {
    const name = `function${functions++}`;
    register(name, app as never);
    const server = getTestServer(name).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
      return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() };
    } finally {
      server.closeAllConnections();
      server.close();
    }
  },
};

const failing = (): SessionStore => new ScriptedStore({ append: () => Promise.reject(new Error('append failed')) });

function appOf(express: ExpressModule, store: SessionStore, alarms: Alarm[] = []): Express {
  const app = express().set('env', 'test');
  app.use(
    aplSessionMiddleware({
      session: sessionPerRequest(),
      store,
      logger: { warn() {}, error() {} },
      onAlarm: (alarm) => alarms.push(alarm),
    }),
  );
  app.get('/clean', (_req, res) => void res.set('X-Made', 'by-the-handler').send('clean'));
  app.get('/salary', (req, res) => {
    req.security.labels.add('secret');
    res.set('X-Salary', SALARY).status(201).json({ salary: SALARY });
  });
  app.get('/written', (req, res) => {
    req.security.labels.add('secret');
    res.writeHead(200, { 'X-Salary': SALARY }).write(SALARY);
    setImmediate(() => res.end(SALARY));
  });
  app.get('/denied', (req, res) => {
    req.security.deny({ code: 'denied', reason: 'for the test' });
    res.set('X-Salary', SALARY).json({ salary: SALARY });
    throw new Error('of the handler');
  });
  app.get('/late', (req, res) => {
    res.write('clean');
    setImmediate(() => {
      req.security.labels.add('secret');
      res.end(SALARY);
    });
  });
  const onError: ErrorRequestHandler = (error, _req, res, _next) => void res.status(500).json({ code: error.code });
  return app.use(onError);
}

for (const [version, express] of EXPRESS_VERSIONS) {
  for (const [name, ask] of Object.entries(RUNTIMES)) {
    describe(`${name} with ${version}`, () => {
      it('G8: a clean answer arrives', async () => {
        const { status, headers, body } = await ask(appOf(express, new ScriptedStore()), '/clean');
        expect({ status, body, made: headers['x-made'] }).to.deep.equal({
          status: 200,
          body: 'clean',
          made: 'by-the-handler',
        });
      });

      for (const path of ['/salary', '/written']) {
        it(`G1: ${path}: the answer arrives when its label is stored`, async () => {
          const store = new SlowStore(20);
          const { status, body } = await ask(appOf(express, store), path);
          expect(status).to.equal(path === '/salary' ? 201 : 200);
          expect(body).to.include(SALARY);
          expect(await store.loadLabels('s1')).to.deep.equal(['secret']);
        });

        it(`G2: ${path}: the answer is the 403 if its label cannot be stored`, async () => {
          const answer = await ask(appOf(express, failing()), path);
          expect(answer.status).to.equal(403);
          expect(JSON.parse(answer.body)).to.include({ code: 'session.persist_failed' });
          expect(JSON.stringify(answer)).not.to.include(SALARY);
        });
      }

      it('G2: a denial is the response, also if the handler goes on', async () => {
        const answer = await ask(appOf(express, new ScriptedStore()), '/denied');
        expect(answer.status).to.equal(403);
        expect(JSON.parse(answer.body)).to.include({ code: 'denied' });
        expect(JSON.stringify(answer)).not.to.include(SALARY);
      });

      it('G2: a response that is cut is an error of the invocation', async () => {
        const alarms: Alarm[] = [];
        const outcome = await ask(appOf(express, failing(), alarms), '/late').then(
          (answer) => answer,
          (error: unknown) => String(error),
        );
        expect(JSON.stringify(outcome)).not.to.include(SALARY);
        if (typeof outcome === 'object') expect(outcome.status).to.equal(500);
        expect(alarms[0]).to.include({ alarm: 'session_store_failure', bytesSent: true });
      });
    });
  }

  describe(`Response objects that are not Node's own, ${version}`, () => {
    afterEach(() => {
      Object.setPrototypeOf(express.response, ServerResponse.prototype);
      Object.setPrototypeOf(express.request, IncomingMessage.prototype);
    });

    it('G1: light-my-request, which copies output above the gate, is refused', async () => {
      for (const store of [failing(), new SlowStore(20)]) {
        const { statusCode, payload } = await inject(appOf(express, store) as never, { method: 'GET', url: '/salary' });
        expect({ statusCode, payload: JSON.parse(payload) }).to.deep.equal({
          statusCode: 500,
          payload: { code: 'runtime.unsupported' },
        });
      }
    });

    it('G1: light-my-request is refused also after real requests were served', async () => {
      const app = appOf(express, new SlowStore(0));
      expect((await RUNTIMES['@google-cloud/functions-framework']?.(app, '/salary'))?.status).to.equal(201);
      expect((await inject(app as never, { method: 'GET', url: '/salary' })).statusCode).to.equal(500);
    });
  });
}
