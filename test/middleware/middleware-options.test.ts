import { expect } from 'chai';
import request from 'supertest';
import { VERSION } from '../../lib/contract/version.js';
import {
  type Alarm,
  type AplSessionOptions,
  aplSessionMiddleware,
  MemorySessionStore,
  type SessionStore,
} from '../../lib/index.js';
import { instancesIn } from '../support/denial-instance.js';
import { thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';
import { ok, SESSION } from '../support/middleware-fixture.js';
import { runModule } from '../support/node-child.js';

describe('aplSessionMiddleware, options', () => {
  const session = (): string => SESSION;
  const factory = { kind: 'mine', build: () => new MemorySessionStore() };
  const storeWithDeadline = (deadlineMs: number): object => Object.assign(new MemorySessionStore(), { deadlineMs });
  const refused: ReadonlyArray<readonly [what: string, options: unknown, names: string, code?: string]> = [
    ['no options', undefined, 'options'],
    ['null', null, 'options'],
    ['a string', 'valkey', 'options'],
    ['no session', {}, "'session'"],
    ['a session that is no function', { session: 'id' }, "'session'"],
    ['an unknown key', { session, sotre: {} }, "'sotre'"],
    ['a timeout that is no number', { session, storeTimeoutMs: '5' }, "'storeTimeoutMs'"],
    ['a timeout of 0', { session, storeTimeoutMs: 0 }, "'storeTimeoutMs'"],
    ['a timeout that is no integer', { session, storeTimeoutMs: 1.5 }, "'storeTimeoutMs'"],
    ['a timeout that setTimeout cannot do', { session, storeTimeoutMs: 2 ** 31 }, "'storeTimeoutMs'"],
    ['an endless timeout', { session, storeTimeoutMs: Number.POSITIVE_INFINITY }, "'storeTimeoutMs'"],
    ['a listener that is no function', { session, onAlarm: {} }, "'onAlarm'"],
    ['a logger without error', { session, logger: { warn() {} } }, "'logger'"],
    ['a logger without warn', { session, logger: { error() {} } }, "'logger'"],
    ['null for a logger', { session, logger: null }, "'logger'"],
    ['factories that are no array', { session, storeFactories: factory }, "'storeFactories'"],
    ['a factory without build', { session, storeFactories: [{ kind: 'mine' }] }, 'build'],
    ['a factory without kind', { session, storeFactories: [{ build() {} }] }, 'kind'],
    ['two factories of one kind', { session, storeFactories: [factory, { ...factory }] }, 'storeFactories'],
    ['null for a store', { session, store: null }, 'store'],
    ['a store without appendLabels', { session, store: { loadLabels() {} } }, 'kind', 'config.store_kind_missing'],
    ['a kind that no factory has', { session, store: { kind: 'nope' } }, 'nope', 'config.store_kind_unknown'],
    ['a deadline of the store that no timer can take', { session, store: storeWithDeadline(Number.NaN) }, 'deadlineMs'],
    ['an endless deadline of the store', { session, store: storeWithDeadline(2 ** 31) }, 'deadlineMs'],
    ['no label at all', { session, maxLabelsPerSession: 0 }, "'maxLabelsPerSession'"],
    ['labels that are no integer', { session, maxLabelsPerSession: 1.5 }, "'maxLabelsPerSession'"],
    [
      'a senseless limit of the store',
      { session, store: Object.assign(new ScriptedStore(), { maxLabelsPerSession: 0 }) },
      'maxLabelsPerSession',
    ],
    ['an unknown key in the block', { session, store: { kind: 'memory', ttl: 5 } }, 'ttl'],
  ];
  for (const [what, options, names, code = 'config.invalid'] of refused) {
    it(`${what}: ${code}, and the message names it`, () => {
      const error = thrownBy(() => aplSessionMiddleware(options as AplSessionOptions)) as Error;
      expect(error).to.have.property('code', code);
      expect(error.message).to.contain(names);
    });
  }

  it('the error names every wrong option, and shows no value', () => {
    const options = { session: 'hunter2', storeTimeoutMs: 'hunter2', sotre: 'hunter2' };
    const error = thrownBy(() => aplSessionMiddleware(options as unknown as AplSessionOptions)) as Error;
    expect(error.message).to.contain("'session'").and.to.contain("'storeTimeoutMs'").and.to.contain("'sotre'");
    expect(error.message).to.not.contain('hunter2');
  });

  it('the options and their members are neither changed nor frozen', () => {
    const store = new MemorySessionStore();
    const logger = { warn() {}, error() {} };
    const options = { session, store, logger, storeFactories: [factory] };
    aplSessionMiddleware(options);
    expect(options).to.deep.equal({ session, store, logger, storeFactories: [factory] });
    for (const member of [options, store, logger, options.storeFactories]) {
      expect(Object.isFrozen(member)).to.equal(false);
    }
  });

  it('a factory may be an instance with private members', () => {
    class PrivateFactory {
      readonly kind = 'private';
      readonly #store = new MemorySessionStore();
      build(): SessionStore {
        return this.#store;
      }
    }
    aplSessionMiddleware({ session, store: { kind: 'private' }, storeFactories: [new PrivateFactory()] });
  });

  it('a factory of kind memory replaces the built-in one', async () => {
    const store = new ScriptedStore();
    const middleware = aplSessionMiddleware({
      session,
      store: { kind: 'memory' },
      storeFactories: [{ kind: 'memory', build: () => store }],
    });
    for (const [, express] of EXPRESS_VERSIONS) await request(express().use(middleware, ok)).get('/').expect(200);
    expect(store.loads).to.have.length(2);
  });

  it('the default deadline is the store’s own and 50 ms more', async () => {
    const store = Object.assign(new ScriptedStore({ load: () => new Promise(() => {}) }), { deadlineMs: 1 });
    const alarms: Alarm[] = [];
    const middleware = aplSessionMiddleware({
      session,
      store,
      logger: { warn() {}, error() {} },
      onAlarm: (alarm) => void alarms.push(alarm),
    });
    for (const [, express] of EXPRESS_VERSIONS) await request(express().use(middleware, ok)).get('/').expect(403);
    expect(alarms[0]).to.have.property('error').that.contains('51 ms');
  });

  it('alarms of the store reach the logger and onAlarm', () => {
    let listener: ((alarm: Alarm) => void) | undefined;
    const store = Object.assign(new ScriptedStore(), {
      onAlarm: (given: (alarm: Alarm) => void) => {
        listener = given;
      },
    });
    const warned: unknown[] = [];
    const heard: Alarm[] = [];
    aplSessionMiddleware({
      session,
      store,
      logger: { warn: (_message, fields) => void warned.push(fields), error() {} },
      onAlarm: (alarm) => void heard.push(alarm),
    });
    const alarm: Alarm = { alarm: 'session_store_ttl_refresh_failed', error: 'EXPIRE failed' };
    listener?.(alarm);
    expect(warned).to.have.length(1);
    expect(warned[0]).to.include(alarm);
    expect(heard).to.deep.equal([alarm]);
  });

  it('the default logger writes one JSON line to standard error', async function () {
    this.timeout(20_000);
    const { code, stdout, stderr } = await runModule(
      `
      import express from 'express';
      import { aplSessionMiddleware } from './lib/index.ts';
      const store = { loadLabels: async () => { throw new Error('no store'); }, appendLabels: async () => {} };
      const app = express().use(aplSessionMiddleware({ session: () => 's1', store }));
      const server = app.listen(0, '127.0.0.1', async () => {
        const { status } = await fetch('http://127.0.0.1:' + server.address().port + '/users/42');
        console.log(status);
        server.closeAllConnections();
        server.close();
      });
      `,
      { NODE_NO_WARNINGS: '1' },
    );
    expect({ code, stdout }).to.deep.equal({ code: 0, stdout: '403\n' });
    expect(stderr).to.match(/^\{.*\}\n$/);
    const { timestamp, instance, ...line } = JSON.parse(stderr) as Record<string, unknown>;
    expect(instancesIn(String(instance))).to.deep.equal([instance]);
    expect(timestamp).to.match(/^\d{4}-\d\d-\d\dT/);
    expect(line).to.deep.equal({
      level: 'error',
      message: 'session label load failed; failing request closed',
      alarm: 'session_store_failure',
      op: 'load',
      route: 'GET *',
      error: 'no store',
      package: 'express-apl-session',
      version: VERSION,
      help: 'express-apl-session/docs/errors.md#session_store_failure',
    });
  });
});
