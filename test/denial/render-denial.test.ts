import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import type { Express, RequestHandler, Response } from 'express';
import request from 'supertest';
import {
  type Alarm,
  type AplSessionOptions,
  aplSessionMiddleware,
  type DenialRenderer,
  denyIf,
} from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';
import { exchange, get, serve } from '../support/raw-http.js';

const VIOLATION = { code: 'session_tainted', reason: 'session touched secret data' };
const failing = async (): Promise<never> => {
  throw new Error('no store');
};

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`renderers of denials, ${version}`, () => {
    const alarms: Alarm[] = [];
    let handled: boolean;
    let folder: string;
    let file: string;

    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'apl-renderers-'));
      file = join(folder, 'denied.txt');
      writeFileSync(file, 'denied, all of it');
    });
    after(() => rmSync(folder, { recursive: true }));
    beforeEach(() => {
      alarms.length = 0;
      handled = false;
    });

    const handler: RequestHandler = (_req, res) => {
      handled = true;
      if (!res.headersSent) res.send('handled');
    };

    function appOf(options: Partial<AplSessionOptions>, ...handlers: RequestHandler[]): Express {
      const middleware = aplSessionMiddleware({
        session: () => 'session-of-alice',
        store: new ScriptedStore(),
        logger: { warn() {}, error() {} },
        onAlarm: (alarm) => alarms.push(alarm),
        ...options,
      });
      return express()
        .set('env', 'test')
        .use(middleware, ...handlers);
    }

    const denied = (denial: DenialRenderer): Express =>
      appOf(
        { denial },
        denyIf(() => true, VIOLATION),
        handler,
      );
    const notPersisted = (denial: DenialRenderer): Express =>
      appOf(
        { denial, store: new ScriptedStore({ append: failing }) },
        (req, _res, next) => {
          req.security.labels.add('secret');
          next();
        },
        handler,
      );

    const goingOn: ReadonlyArray<readonly [what: string, denial: DenialRenderer, error: RegExp]> = [
      ['a file that is a folder', (_violation, _req, res) => res.sendFile(folder), /called next/],
      ['a file that is not there', (_violation, _req, res) => res.sendFile(join(folder, 'none')), /ENOENT/],
      [
        'no format that the client accepts',
        (_violation, _req, res) => res.format({ html: () => res.send('no') }),
        /Accept/,
      ],
      [
        'a view that fails',
        (_violation, _req, res) => {
          res.app.engine('txt', (_path, _options, done) => setImmediate(done, new Error('broken')));
          res.render(file);
        },
        /broken/,
      ],
    ];
    for (const [what, denial, error] of goingOn) {
      it(`G2: a renderer that sends ${what} ends in a plain 403 at once`, async () => {
        const { status, body } = await request(denied(denial)).get('/').set('Accept', 'application/json');
        expect({ status, code: body.code, handled }).to.deep.equal({
          status: 403,
          code: VIOLATION.code,
          handled: false,
        });
        expect(alarms).to.have.length(1);
        expect(alarms[0]).to.include({ alarm: 'denial_not_rendered' });
        expect((alarms[0] as { error: string }).error)
          .to.match(error)
          .and.not.to.match(/1000 ms/);
      });
    }

    const conditions = [
      ['If-None-Match', '*'],
      ['If-Match', '"other"'],
      ['If-Modified-Since', 'Fri, 01 Jan 2100 00:00:00 GMT'],
      ['If-Unmodified-Since', 'Sat, 01 Jan 2000 00:00:00 GMT'],
      ['Range', 'bytes=0-1'],
      ['Range', 'bytes=1000-'],
    ] as const;
    for (const [name, value] of conditions) {
      it(`G2: a client that sends ${name}: ${value} gets the whole denial`, async () => {
        for (const app of [denied, notPersisted]) {
          const sent = await request(app((_violation, _req, res) => res.send('refused')))
            .get('/')
            .set(name, value);
          expect([sent.status, sent.text]).to.deep.equal([403, 'refused']);
          const filed = await request(app((_violation, _req, res) => res.sendFile(file)))
            .get('/')
            .set(name, value);
          expect([filed.status, filed.text]).to.deep.equal([403, 'denied, all of it']);
        }
      });
    }

    const destroying: ReadonlyArray<readonly [string, DenialRenderer]> = [
      ['destroys its response', (_violation, _req, res) => res.destroy(new Error('broken'))],
      ['destroys its response and ends it', (_violation, _req, res) => res.destroy(new Error('broken')).end('refused')],
      [
        'has a stream that fails',
        (_violation, _req, res) =>
          void Readable.from(failingParts())
            .on('error', (error) => res.destroy(error))
            .pipe(res),
      ],
    ];
    for (const [what, denial] of destroying) {
      it(`G2: a renderer that ${what} ends in a plain 403, and an alarm`, async () => {
        const { status, body } = await request(denied(denial)).get('/');
        expect({ status, code: body.code }).to.deep.equal({ status: 403, code: VIOLATION.code });
        expect(alarms).to.have.length(1);
        expect(alarms[0]).to.include({ alarm: 'denial_not_rendered', error: 'broken' });
      });
    }

    it('a renderer that writes after its end causes no error', async () => {
      const late: DenialRenderer = (_violation, _req, res) => {
        res.end('refused');
        res.write('more');
        res.end('and more');
      };
      const app = denied(late);
      for (const _ of [1, 2]) expect((await request(app).get('/')).text).to.equal('refused');
    });

    it('the events that a renderer awaits on its response arrive', async () => {
      const over = deferred<void>();
      const render: DenialRenderer = async (_violation, _req, res) => {
        const closed = new Promise((resolve) => res.once('close', resolve));
        await pipeline(Readable.from(['refu', 'sed']), res);
        await closed;
        over.resolve();
      };
      expect((await request(denied(render)).get('/')).text).to.equal('refused');
      await over.promise;
    });

    it('a failed renderer sees a closed response, and its output is dropped', async () => {
      const closed = deferred<Response>();
      const render: DenialRenderer = async (_violation, _req, res) => {
        res.once('close', () => closed.resolve(res));
        res.write('x'.repeat(100_000));
        throw new Error('broken');
      };
      expect((await request(denied(render)).get('/')).status).to.equal(403);
      const res = await closed.promise;
      res.write('x'.repeat(100_000));
      expect(res.writableLength).to.equal(0);
      expect(res.destroyed).to.equal(true);
    });

    it('G2: a denial that cannot replace the response cuts the connection', async () => {
      const store = new ScriptedStore({ append: failing });
      const app = appOf({ store }, (req, res) => {
        req.security.labels.add('secret');
        res.send('handled');
        res.setHeader = () => {
          throw new Error('frozen');
        };
      });
      const server = await serve(app);
      const { text } = await exchange(server.port, get('/'));
      await server.close();
      expect(text).to.equal('');
    });
  });
}

async function* failingParts(): AsyncGenerator<string> {
  yield 'half';
  throw new Error('broken');
}
