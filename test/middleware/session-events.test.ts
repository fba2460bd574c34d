import { type ChannelListener, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect } from 'chai';
import express, { type Request } from 'express';
import request from 'supertest';
import { type AplSessionOptions, aplSessionMiddleware, denyIf, type SessionEvent } from '../../lib/index.js';
import type { RequestObserver } from '../../lib/middleware/request-observer.js';
import { SessionEvents } from '../../lib/middleware/session-events.js';
import { controllableStore } from '../../lib/testing.js';
import { eventually, thrownBy } from '../support/eventually.js';
import { addLabel, LABEL, middlewareFixture, ok, SESSION } from '../support/middleware-fixture.js';

const CHANNELS = ['request', 'load', 'append', 'hold', 'denial', 'alarm', 'recovery'];
const VIOLATION = { code: 'session_tainted', reason: 'no' };

describe('onEvent beside another observer', () => {
  it('passes every step on, with its values', () => {
    const seen: unknown[] = [];
    const next = new Proxy({} as RequestObserver, {
      get:
        (_target, name) =>
        (...values: unknown[]) =>
          void seen.push([name, ...values]),
    });
    const events = new SessionEvents(() => {}, { method: 'GET' } as Request, next);
    const steps: Readonly<Record<keyof RequestObserver, readonly unknown[]>> = {
      session: [{ id: 's', source: 'agent' }],
      noSession: ['no subject'],
      servedByEarlierMount: [],
      failed: [new Error('failed')],
      loaded: [['stored']],
      loadFailed: [new Error('load')],
      owedFailed: [],
      added: ['added'],
      appended: [['added']],
      appendFailed: [new Error('append'), ['secret']],
      ruleDenies: ['guard', 'rule'],
      denied: ['code', 'instance'],
      held: [{ heldBytes: 1 }],
      verdict: ['refuse', false, 'code', 'instance'],
    };
    const calls = Object.entries(steps).map(([name, values]) => [name, ...values]);
    for (const [name, ...values] of calls) {
      (events[name as keyof RequestObserver] as (...args: unknown[]) => void)(...values);
    }
    expect(seen).to.deep.equal(calls);
  });
});

describe('onEvent', () => {
  const { alarms, appOf, middlewareWith, listen } = middlewareFixture(express);
  const told: SessionEvent[] = [];
  const onEvent = (event: SessionEvent): void => void told.push(event);
  let store: ReturnType<typeof controllableStore>;
  beforeEach(() => {
    told.length = 0;
    store = controllableStore();
  });
  const known = { route: 'GET *', sessionId: SESSION };

  it('gets session id and labels of each step, as frozen objects', async () => {
    await store.appendLabels(SESSION, ['stored']);
    const app = express().use(middlewareWith({ store, onEvent }));
    app.get('/notes/:id', addLabel, ok);
    await request(app).get('/notes/5').expect(200);
    expect(told).to.deep.equal([
      { event: 'request', ...known, labels: [] },
      { event: 'loaded', ...known, labels: ['stored'] },
      { event: 'appended', route: 'GET /notes/:id', sessionId: SESSION, labels: [LABEL] },
    ]);
    for (const event of told) expect([event, event.labels].every(Object.isFrozen)).to.equal(true);
  });

  it('gets a denial once, with the labels that led to it and its id', async () => {
    await store.appendLabels(SESSION, [LABEL]);
    const app = express().use(middlewareWith({ store, onEvent }));
    app.post('/mail', denyIf(LABEL, VIOLATION), ok);
    const { body } = await request(app).post('/mail').expect(403);
    const denied = told.filter(({ event }) => event === 'denied');
    const what = { code: 'session_tainted', instance: body.instance, labels: [LABEL] };
    expect(denied).to.deep.equal([{ event: 'denied', route: 'POST /mail', sessionId: SESSION, ...what }]);
  });

  it('gets denials of a failing store: at the load, at the append, and cut', async () => {
    const last = () => told.at(-1);
    store.fail('load');
    await request(appOf(middlewareWith({ store, onEvent }), ok))
      .get('/')
      .expect(403);
    expect(last()).to.include({ event: 'denied', code: 'session.load_failed', sessionId: SESSION });
    store.restore();
    store.fail('append');
    await request(appOf(middlewareWith({ store, onEvent }), addLabel, ok))
      .get('/')
      .expect(403);
    expect(last()).to.deep.include({ event: 'denied', code: 'session.persist_failed', labels: [LABEL] });
    told.length = 0;
    const failing = controllableStore();
    failing.fail('append');
    const cut = middlewareWith({ store: failing, onEvent });
    const { port } = await listen(
      appOf(cut, (req, res) => {
        res.write('first', () => {
          req.security.labels.add(LABEL);
          res.end('second');
        });
      }),
    );
    await request(`http://127.0.0.1:${port}`)
      .get('/')
      .catch(() => {});
    await eventually(() => expect(last()).to.include({ code: 'session.persist_failed' }));
    expect(last()).to.not.have.property('instance');
  });

  it('a request without a session has no session id', async () => {
    const middleware = middlewareWith({ store, onEvent, session: () => undefined, sessionless: 'deny' });
    await request(appOf(middleware, ok)).get('/').expect(403);
    expect(told[0]).to.deep.equal({ event: 'request', route: 'GET *', labels: [] });
    expect(told.some((event) => 'sessionId' in event)).to.equal(false);
  });

  it('its errors change nothing', async () => {
    for (const onEvent of [
      () => {
        throw new Error('broken');
      },
      (async () => {
        throw new Error('broken');
      }) as () => void,
    ]) {
      await request(appOf(middlewareWith({ store, onEvent }), addLabel, ok))
        .get('/')
        .expect(200, 'ok');
    }
  });

  it('channels, alarms and log lines have neither ids nor labels beside it', async () => {
    const shown: unknown[] = [];
    const note: ChannelListener = (message) => shown.push(message);
    const line = (...args: unknown[]): void => void shown.push(...args);
    for (const name of CHANNELS) subscribe(`express-apl-session:${name}`, note);
    try {
      const logger = { warn: line, error: line };
      const app = express().use(middlewareWith({ store, onEvent, logger }));
      app.get('/', addLabel, denyIf(LABEL, VIOLATION), ok);
      await request(app).get('/').expect(403);
      store.fail('append', new Error(`${SESSION} ${LABEL}`));
      await request(app).get('/').expect(403);
      store.fail('load', new Error(`${SESSION} ${LABEL}`));
      await request(app).get('/').expect(403);
    } finally {
      for (const name of CHANNELS) unsubscribe(`express-apl-session:${name}`, note);
    }
    const text = JSON.stringify([shown, alarms]);
    expect(text).to.include('session_tainted').and.include('session.load_failed').and.include('session_store_failure');
    for (const secret of [SESSION, LABEL]) expect(text).to.not.include(secret);
    expect(JSON.stringify(told)).to.include(SESSION).and.include(LABEL);
  });

  it('must be a function', () => {
    const options = { session: () => SESSION, onEvent: { ids: true } } as unknown as AplSessionOptions;
    expect(thrownBy(() => aplSessionMiddleware(options))).to.include({ code: 'config.invalid' });
  });
});
