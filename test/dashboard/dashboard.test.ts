import { expect } from 'chai';
import type { Express } from 'express';
import request from 'supertest';
import { type Dashboard, type DashboardOptions, dashboard } from '../../lib/dashboard.js';
import { aplSessionMiddleware, denyIf, MemorySessionStore, type SessionStore, taint } from '../../lib/index.js';
import { controllableStore } from '../../lib/testing.js';
import { type EventMessage, eventMessages, messageWith } from '../support/event-messages.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { serve } from '../support/raw-http.js';

const SESSION = 'session-of-alice';
const LABEL = 'top-secret';
const tainted = { code: 'session_tainted', reason: `session touched ${LABEL}` };

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`dashboard(), ${version}`, () => {
    const cleanUps: Array<() => unknown> = [];
    afterEach(async () => {
      for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
    });

    const made = (options: Partial<DashboardOptions> = {}): Dashboard => {
      const page = dashboard({ access: 'checked-before', ...options });
      cleanUps.push(() => page.close());
      return page;
    };
    const appWith = (page: Dashboard): Express => express().set('env', 'test').use('/admin/apl', page);
    const started = async (app: Express): Promise<string> => {
      const running = await serve(app);
      cleanUps.push(running.close);
      return `http://127.0.0.1:${running.port}`;
    };
    const storyApp = (page: Dashboard, store: SessionStore): Express =>
      appWith(page)
        .use(aplSessionMiddleware({ session: () => SESSION, store, logger: { warn() {}, error() {} } }))
        .get('/salaries', taint(LABEL), (_req, res) => void res.send('salaries'))
        .get('/other', taint('other-label'), (_req, res) => void res.send('other'))
        .post('/mail', denyIf(LABEL, tainted), (_req, res) => void res.send('sent'))
        .get('/report', denyIf(LABEL, tainted, { enforce: 'observe' }), (_req, res) => void res.send('report'));
    const events = (origin: string, headers: Record<string, string> = {}): Promise<Response> =>
      fetch(`${origin}/admin/apl/events`, { headers });
    const fill = async (stream: Response, fits: (text: string) => boolean): Promise<EventMessage> =>
      messageWith(stream, ({ data }) => fits(JSON.stringify(data)));

    it('every answer has the strict headers', async () => {
      const app = appWith(made());
      for (const path of ['', '/', '/dashboard.js', '/dashboard.css', '/icon.svg', '/nothing']) {
        const { headers } = await request(app).get(`/admin/apl${path}`);
        expect(headers, path).to.include({
          'cache-control': 'no-store, no-transform',
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'no-referrer',
          'cross-origin-resource-policy': 'same-origin',
        });
        expect(headers['content-security-policy'], path)
          .to.match(/^default-src 'none'; /)
          .and.include("frame-ancestors 'none'")
          .and.not.match(/unsafe|\*|https?:|data:/);
      }
    });

    it('the page has no inline code and no address of another host', async () => {
      const { text } = await request(appWith(made())).get('/admin/apl/').expect(200);
      expect(text).to.match(/<!doctype html>/);
      expect(text).to.not.match(/<style|<script(?! src="dashboard\.js")|\son\w+=|\sstyle=|https?:/);
    });

    it('an address without a slash is completed without leaving the host', async () => {
      const app = express().use('/:name', made());
      await request(app).get('/admin?a=1').expect(308).expect('location', './admin/');
      const { headers } = await request(app).get('/a:b').expect(308);
      expect(new URL(headers['location'] ?? '', 'http://here/a:b').href).to.equal('http://here/a:b/');
    });

    it('other paths are 404, and other methods 405', async () => {
      const app = appWith(made());
      await request(app).get('/admin/apl/dashboard.ts').expect(404);
      await request(app).post('/admin/apl/').expect(405).expect('allow', 'GET, HEAD');
      await request(app).post('/admin/apl/events').expect(405).expect('allow', 'GET');
      await request(app).head('/admin/apl/dashboard.js').expect(200);
    });

    const refusing: ReadonlyArray<readonly [what: string, access: () => unknown]> = [
      ['false', () => false],
      ['a promise of false', async () => false],
      ['a value that is not true', () => 'yes'],
      ['nothing', () => undefined],
    ];
    for (const [what, access] of refusing) {
      it(`access returns ${what}: 403 without any data`, async () => {
        const app = appWith(made({ access: access as () => boolean }));
        for (const path of ['/', '/events', '/dashboard.js', '/nothing']) {
          await request(app).get(`/admin/apl${path}`).expect(403, 'Forbidden');
        }
      });
    }

    it('access that throws or rejects refuses every request', async () => {
      for (const access of [
        () => {
          throw new Error('directory down');
        },
        () => Promise.reject(new Error('directory down')),
      ]) {
        const { status, text } = await request(appWith(made({ access }))).get('/admin/apl/events');
        expect(status).to.equal(500);
        expect(text).to.not.include('event:');
      }
    });

    it('access gets the request and decides about each one', async () => {
      const app = appWith(made({ access: async (req) => req.get('x-admin') === 'yes' }));
      await request(app).get('/admin/apl/').set('x-admin', 'yes').expect(200);
      await request(app).get('/admin/apl/').expect(403);
    });

    it('events are only for pages of the same origin', async () => {
      const origin = await started(appWith(made()));
      for (const headers of [
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { origin: 'https://elsewhere.example' },
        { origin: 'null' },
      ]) {
        expect((await events(origin, headers)).status).to.equal(403);
      }
      for (const headers of [{ 'sec-fetch-site': 'same-origin' }, { origin }, {}] as Record<string, string>[]) {
        const answer = await events(origin, headers);
        expect(answer.status).to.equal(200);
        await answer.body?.cancel();
      }
    });

    it('a new page gets what happened before it was opened', async () => {
      const page = made();
      const origin = await started(storyApp(page, new MemorySessionStore()));
      await fetch(`${origin}/salaries`);
      await fetch(`${origin}/mail`, { method: 'POST' });
      await fetch(`${origin}/report`);
      const { event, data } = await messageWith(await events(origin), () => true);
      expect(event).to.equal('state');
      expect(data).to.have.nested.property('totals.requests', 3);
      expect(data).to.have.nested.property('totals.denials', 1);
      expect(data).to.have.nested.property('node.pid', process.pid);
      const { denials, refused, observed, alarms } = data['lists'] as Record<string, object[]>;
      expect(denials).to.have.length(1);
      expect(denials?.[0]).to.include({ code: 'session_tainted', route: 'POST /mail', count: 1 });
      expect(refused?.[0]).to.include({ code: 'session_tainted', route: 'POST /mail', cut: false });
      expect(observed?.[0]).to.include({ guard: 'denyIf', code: 'session_tainted', route: 'GET /report', count: 1 });
      expect(alarms).to.deep.equal([]);
    });

    it('an open page gets a denial, an alarm and a recovery as they happen', async () => {
      const store = controllableStore();
      const page = made({ store });
      const origin = await started(storyApp(page, store));
      const seen = async (pattern: RegExp): Promise<EventMessage> =>
        fill(await events(origin), (text) => pattern.test(text));
      store.fail('load', new Error('lost'));
      const alarm = seen(/session_store_failure/);
      await fetch(`${origin}/mail`, { method: 'POST' });
      const { alarms, refused } = (await alarm).data['lists'] as Record<string, object[]>;
      expect(alarms?.[0]).to.include({ alarm: 'session_store_failure', op: 'load', count: 1 });
      expect(refused?.[0]).to.include({
        code: 'session.load_failed',
        reason: 'session state could not be loaded',
      });
      store.restore();
      const recovery = seen(/recoveredAtMs/);
      await fetch(`${origin}/mail`, { method: 'POST' });
      const lists = (await recovery).data['lists'] as Record<string, object[]>;
      expect(lists['recoveries']?.[0]).to.include({ after: 'session_store_failure', op: 'load', failures: 1 });
    });

    it('no message holds a label or the id of a session', async () => {
      const store = controllableStore();
      const origin = await started(storyApp(made({ store }), store));
      await fetch(`${origin}/salaries`);
      await fetch(`${origin}/mail`, { method: 'POST' });
      await fetch(`${origin}/report`);
      store.fail('load', new Error(`lost ${SESSION}`));
      await fetch(`${origin}/mail`, { method: 'POST' });
      store.restore();
      store.fail('append', new Error(`no ${LABEL} for ${SESSION}`));
      await fetch(`${origin}/other`);
      let seconds = 0;
      let all = '';
      for await (const { event, data } of eventMessages(await events(origin))) {
        all += JSON.stringify(data);
        if (event === 'second') seconds += 1;
        if (seconds === 2) break;
      }
      expect(all).to.include('lost ***').and.include('for ***');
      expect(all).to.not.include(LABEL).and.not.include(SESSION).and.not.include('other-label');
    });

    it('more pages than maxViewers: 503, until one is closed', async () => {
      const origin = await started(appWith(made({ maxViewers: 1 })));
      const first = await events(origin);
      const refused = await events(origin);
      expect(refused.status).to.equal(503);
      expect(refused.headers.get('retry-after')).to.equal('10');
      await first.body?.cancel();
      let status = 503;
      while (status === 503) {
        const again = await events(origin);
        status = again.status;
        await again.body?.cancel();
      }
      expect(status).to.equal(200);
    });

    it('close() ends the open pages, and later requests get 503', async () => {
      const page = made();
      const origin = await started(appWith(page));
      const messages = eventMessages(await events(origin));
      await messages.next();
      page.close();
      let ended = false;
      while (!ended) ended = (await messages.next()).done ?? false;
      expect((await events(origin)).status).to.equal(503);
      page.close();
    });

    it('close() leaves no subscriber behind', async () => {
      const { channel } = await import('node:diagnostics_channel');
      expect(channel('express-apl-session:denial').hasSubscribers).to.equal(false);
      const page = dashboard({ access: 'checked-before' });
      expect(channel('express-apl-session:denial').hasSubscribers).to.equal(true);
      page.close();
      expect(channel('express-apl-session:denial').hasSubscribers).to.equal(false);
    });

    it('the store is probed only while a page is open', async () => {
      let pings = 0;
      class Counted extends MemorySessionStore {
        override async ping(): Promise<number> {
          pings += 1;
          return 0;
        }
      }
      const app = appWith(made({ store: new Counted() })).use('/other', made());
      const origin = await started(app);
      // the first second of the other dashboard, in which a probe would have been made
      await messageWith(await fetch(`${origin}/other/events`), ({ event }) => event === 'second');
      expect(pings).to.equal(0);
      await messageWith(await events(origin), ({ event }) => event === 'second');
      expect(pings).to.be.at.least(1);
    });
  });
}
