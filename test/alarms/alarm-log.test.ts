import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { AlarmLog } from '../../lib/alarms/alarm-log.js';
import type { Alarm, SessionStoreFailure } from '../../lib/index.js';
import { eventually } from '../support/eventually.js';
import { runModule } from '../support/node-child.js';

const LONG_MS = 60_000;

interface Line {
  readonly level: 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function failure(details: Partial<SessionStoreFailure> = {}): Alarm {
  return {
    alarm: 'session_store_failure',
    op: 'load',
    route: 'GET *',
    code: 'store.unavailable',
    error: 'no connection',
    ...details,
  };
}

const recovery = (op: 'load' | 'append'): Alarm => ({
  alarm: 'session_store_recovered',
  after: 'session_store_failure',
  op,
  durationMs: 12,
  failures: 3,
  error: 'again',
});

describe('AlarmLog', () => {
  let lines: Line[];
  let log: AlarmLog;
  beforeEach(() => {
    lines = [];
    const logger = {
      warn: (message: string, fields: object) => void lines.push({ level: 'warn', message, fields: { ...fields } }),
      error: (message: string, fields: object) => void lines.push({ level: 'error', message, fields: { ...fields } }),
    };
    log = new AlarmLog(logger, () => 'valkey.internal:6379');
  });
  afterEach(() => log.flush());

  it('logs the first alarm of a kind at once, with all that an operator needs', () => {
    log.write(failure(), LONG_MS);
    expect(lines).to.have.length(1);
    expect(lines[0]).to.include({ level: 'error' });
    expect(lines[0]?.fields).to.include({
      alarm: 'session_store_failure',
      route: 'GET *',
      code: 'store.unavailable',
      package: 'express-apl-session',
      store: 'valkey.internal:6379',
      help: 'express-apl-session/docs/errors.md#storeunavailable',
    });
  });

  it('counts the next ones by route, and logs them in one line per interval', async () => {
    for (const route of ['GET *', 'GET /a', 'GET /a', 'POST /b', 'GET /a']) log.write(failure({ route }), 50);
    expect(lines).to.have.length(1);
    await eventually(() => expect(lines).to.have.length(2));
    const [, line] = lines;
    expect(line?.level).to.equal('error');
    expect(line?.message).to.match(/^session label load failed; failing request closed \(4 more in \d+\.\d s\)$/);
    expect(line?.fields).to.include({
      alarm: 'session_store_failure',
      op: 'load',
      repeated: 4,
      error: 'no connection',
    });
    expect(line?.fields).to.deep.include({ routes: { 'GET /a': 3, 'POST /b': 1 } });
    expect(line?.fields).to.not.have.property('route');
    expect(line?.fields['overMs']).to.be.at.least(45);
  });

  it('goes on with one line per interval, and none for an interval without alarms', async () => {
    log.write(failure(), 40);
    for (let line = 2; line <= 4; line += 1) {
      log.write(failure(), 40);
      await eventually(() => expect(lines).to.have.length(line));
    }
    await delay(120);
    expect(lines).to.have.length(4);
    log.write(failure(), 40);
    expect(lines.at(-1)?.fields).to.have.property('route');
  });

  it('another code, operation or guard is a kind of its own', () => {
    log.write(failure(), LONG_MS);
    log.write(failure({ code: 'store.timeout' }), LONG_MS);
    log.write(failure({ op: 'append' }), LONG_MS);
    for (const guard of ['denyIf', 'policy']) {
      log.write({ alarm: 'policy_error', guard, route: 'GET *', error: 'x' }, LONG_MS);
    }
    log.write({ alarm: 'session_store_circuit_changed', state: 'open', error: 'x' }, LONG_MS);
    log.write({ alarm: 'session_store_circuit_changed', state: 'closed', error: 'x' }, LONG_MS);
    expect(lines).to.have.length(7);
  });

  it('a recovery comes after the line about the failures before it, and only once', () => {
    for (let index = 0; index < 3; index += 1) log.write(failure(), LONG_MS);
    for (let index = 0; index < 2; index += 1) log.write(failure({ op: 'append' }), LONG_MS);
    const recovered = recovery('load');
    // two middlewares of one store and logger
    log.write(recovered, LONG_MS);
    log.write(recovered, LONG_MS);
    expect(lines.map(({ level, message }) => `${level} ${message.replace(/\d+\.\d s/, 'n s')}`)).to.deep.equal([
      'error session label load failed; failing request closed',
      'error session label persist failed; failing request closed',
      'error session label load failed; failing request closed (2 more in n s)',
      'warn session label loads succeed again',
    ]);
    expect(lines.at(-1)?.fields).to.include({ durationMs: 12, failures: 3 });
    // the next failure is news
    log.write(failure(), LONG_MS);
    expect(lines).to.have.length(5);
  });

  it('flush() logs what was counted', () => {
    for (let index = 0; index < 3; index += 1) log.write(failure(), LONG_MS);
    log.flush();
    log.flush();
    expect(lines.map(({ fields }) => fields['repeated'])).to.deep.equal([undefined, 2]);
  });

  it('its memory is bounded: 20 routes a kind, 100 kinds', () => {
    for (let index = 0; index < 5_000; index += 1) log.write(failure({ route: `GET /${index}` }), LONG_MS);
    for (let index = 0; index < 5_000; index += 1) log.write(failure({ code: `code.${index}` }), LONG_MS);
    log.flush();
    const routes = lines.map(({ fields }) => fields['routes'] as Record<string, number> | undefined);
    const [ofRoutes] = routes.filter((each) => each !== undefined);
    expect(Object.keys(ofRoutes ?? {})).to.have.length(21);
    expect(ofRoutes).to.include({ 'other routes': 4_979 });
    // the first line of 100 kinds, of those without a kind of their own, and two summaries
    expect(lines).to.have.length(103);
    const counted = lines.reduce((sum, { fields }) => sum + Number(fields['repeated'] ?? 1), 0);
    expect(counted).to.equal(10_000);
  });

  it('a route named like a member of objects is only a name', () => {
    for (let index = 0; index < 2; index += 1) log.write(failure({ route: '__proto__' }), LONG_MS);
    log.flush();
    expect(Object.keys(lines[1]?.fields['routes'] as object)).to.deep.equal(['__proto__']);
  });

  it('neither a logger nor the status of a store can throw through it', () => {
    const thrower = (): never => {
      throw new Error('thrown');
    };
    new AlarmLog({ warn: thrower, error: thrower }, thrower).write(failure(), LONG_MS);
  });

  it('a store that cannot tell its address still has its alarms logged', () => {
    const logged: string[] = [];
    const error = (message: string): void => void logged.push(message);
    const unknown = (): never => {
      throw new Error('no status');
    };
    new AlarmLog({ warn: error, error }, unknown).write(failure(), LONG_MS);
    expect(logged).to.have.length(1);
  });

  it('warnings with different texts, and missing sessions with different reasons, are kinds', () => {
    for (const error of ['maxmemory_policy is allkeys-lru', 'evicted_keys is 5', 'evicted_keys is 5']) {
      log.write({ alarm: 'session_store_unsafe_eviction', error }, LONG_MS);
    }
    expect(lines.map(({ fields }) => fields['error'])).to.deep.equal([
      'maxmemory_policy is allkeys-lru',
      'evicted_keys is 5',
    ]);
    lines.length = 0;
    for (const route of ['GET /a', 'GET /b']) {
      for (const reason of ['no subject', 'no req.auth']) {
        log.write({ alarm: 'session_missing', route, reason, error: 'x' }, LONG_MS);
      }
    }
    log.flush();
    const missing = lines.filter(({ fields }) => fields['alarm'] === 'session_missing');
    expect(missing.map(({ fields: { reason, route, routes } }) => ({ reason, at: route ?? routes }))).to.deep.equal([
      { reason: 'no subject', at: 'GET /a' },
      { reason: 'no req.auth', at: 'GET /a' },
      { reason: 'no subject', at: { 'GET /b': 1 } },
      { reason: 'no req.auth', at: { 'GET /b': 1 } },
    ]);
  });

  it('does not keep the process alive', async function () {
    this.timeout(20_000);
    const { code, signal, stdout } = await runModule(`
      import { AlarmLog } from './lib/alarms/alarm-log.ts';
      const log = new AlarmLog({ warn() {}, error: console.log }, () => undefined);
      for (let index = 0; index < 2; index++) {
        log.write({ alarm: 'session_store_failure', op: 'load', route: 'GET *', error: 'x' }, 600_000);
      }`);
    expect({ code, signal }).to.deep.equal({ code: 0, signal: null });
    expect(stdout).to.include('session label load failed');
  });
});
