import { expect } from 'chai';
import {
  type Alarm,
  AplSessionError,
  MemorySessionStore,
  type OpenSession,
  type OpenSessionOptions,
  openSession,
  type SessionStore,
} from '../../lib/index.js';
import { valkeySessionStoreFactory } from '../../lib/valkey.js';
import { eventually, rejectionOf, thrownBy } from '../support/eventually.js';
import { APPEND_FAILURES, LOAD_FAILURES, ScriptedStore } from '../support/failing-stores.js';
import { HeldStore } from '../support/held-store.js';
import { runModule } from '../support/node-child.js';

const ID = 'session-of-alice';
const silent = { warn() {}, error() {} };

interface Opened {
  readonly session: OpenSession;
  readonly alarms: Alarm[];
}

async function open(store: SessionStore, more: Partial<OpenSessionOptions> = {}): Promise<Opened> {
  const alarms: Alarm[] = [];
  const onAlarm = (alarm: Alarm): void => void alarms.push(alarm);
  const session = await openSession({ session: ID, store, logger: silent, onAlarm, storeTimeoutMs: 20, ...more });
  return { session, alarms };
}

async function codeOf(rejecting: Promise<unknown>): Promise<string> {
  const error = await rejectionOf(rejecting);
  expect(error).to.be.instanceOf(AplSessionError);
  return (error as AplSessionError).code;
}

describe('openSession', () => {
  it('loads the labels, and has the source of the session', async () => {
    const store = new MemorySessionStore();
    await store.appendLabels(ID, ['secret']);
    const { session } = await open(store, { session: { id: ID, source: 'agent' } });
    expect([session.sessionId, session.source, ...session.labels]).to.deep.equal([ID, 'agent', 'secret']);
    expect((await open(store)).session.source).to.equal('custom');
  });

  it('G5: its labels only grow, and are validated', async () => {
    const { session } = await open(new MemorySessionStore());
    for (const call of [() => session.labels.delete('a'), () => session.labels.clear()]) {
      expect(thrownBy(call)).to.have.property('code', 'label.immutable');
    }
    expect(thrownBy(() => session.labels.add('\n'))).to.have.property('code', 'label.invalid');
  });

  it('persist() resolves after the one append for all labels', async () => {
    const store = new HeldStore();
    const { session } = await open(store, { storeTimeoutMs: 60_000 });
    session.labels.add('secret').add('PII');
    let done = false;
    const persisted = session.persist().then(() => {
      done = true;
    });
    await store.called();
    expect(done).to.equal(false);
    store.release();
    await persisted;
    expect(store.appends).to.deep.equal([['secret', 'PII']]);
    await session.persist();
    expect(store.appends).to.have.length(1);
  });

  it('G7: labels without persist() are stored, in one append for a task', async () => {
    const store = new ScriptedStore();
    const { session, alarms } = await open(store);
    session.labels.add('a');
    session.labels.add('b');
    await eventually(() => expect(store.appends).to.deep.equal([['a', 'b']]));
    session.labels.add('c');
    await eventually(() => expect(store.appends).to.deep.equal([['a', 'b'], ['c']]));
    expect(alarms).to.deep.equal([]);
  });

  it('G7: labels that cannot be stored are alarmed, and close() rejects', async () => {
    const store = new ScriptedStore({ append: () => Promise.reject(new Error('down')) });
    const { session, alarms } = await open(store);
    session.labels.add('a');
    await eventually(() => expect(alarms).to.have.length(1));
    expect(await codeOf(session.close())).to.equal('session.persist_failed');
    expect(store.appends).to.deep.equal([['a'], ['a']]);
  });

  it('G7: persist() and close() without await raise an alarm, and the process goes on', async () => {
    for (const method of ['persist', 'close'] as const) {
      const { session, alarms } = await open(new ScriptedStore({ append: () => Promise.reject(new Error('down')) }));
      session.labels.add('secret');
      // mocha fails for a rejection that has no handler
      session[method]();
      await eventually(() => expect(alarms).to.have.length(1));
      expect(await codeOf(session.persist())).to.equal('session.persist_failed');
    }
  });

  it('close() waits for pending appends, also as the end of `await using`', async () => {
    const store = new MemorySessionStore();
    {
      await using session = (await open(store)).session;
      session.labels.add('secret');
    }
    expect(await store.loadLabels(ID)).to.deep.equal(['secret']);
  });

  for (const { name, behaviour, error, code } of LOAD_FAILURES) {
    it(`G2: a store ${name} rejects with session.load_failed, and an alarm`, async () => {
      const alarms: Alarm[] = [];
      const store = new ScriptedStore({ load: behaviour });
      const failure = (await rejectionOf(
        open(store, { onAlarm: (alarm) => void alarms.push(alarm), name: `chat of ${ID}` }),
      )) as AplSessionError;
      expect(failure).to.be.instanceOf(AplSessionError).with.property('code', 'session.load_failed');
      expect(failure.message).not.to.include(ID);
      expect(failure).to.have.property('cause');
      const [alarm, ...others] = alarms;
      expect(others).to.deep.equal([]);
      expect(alarm).to.deep.include({ alarm: 'session_store_failure', op: 'load', route: 'chat of ***' });
      expect(alarm).to.have.property('error').that.matches(error);
      expect((alarm as { code?: string }).code).to.equal(code);
    });
  }

  for (const { name, behaviour, error, code } of APPEND_FAILURES) {
    it(`G2: a store ${name}: persist() rejects, and an alarm is raised`, async () => {
      let failing = true;
      const store = new ScriptedStore({ append: () => (failing ? behaviour() : Promise.resolve()) });
      const { session, alarms } = await open(store);
      session.labels.add('secret');
      expect(await codeOf(session.persist())).to.equal('session.persist_failed');
      expect(alarms).to.have.length(1);
      const { error: words, ...alarm } = alarms[0] as Alarm & { error: string };
      expect(words).to.match(error);
      expect(alarm).to.deep.equal({
        alarm: 'session_store_failure',
        op: 'append',
        route: 'openSession',
        ...(code && { code }),
      });
      failing = false;
      await session.persist();
      expect(store.appends).to.deep.equal([['secret'], ['secret']]);
    });
  }

  for (const none of [undefined, null, '', { id: '' }]) {
    it(`G6: rejects with session.required for ${JSON.stringify(none)}, with no store call`, async () => {
      const store = new ScriptedStore();
      expect(await codeOf(open(store, { session: none as string }))).to.equal('session.required');
      expect(store.loads).to.deep.equal([]);
    });
  }

  for (const wrong of [42, {}, { id: 42 }, '\ud800', Promise.resolve(ID)]) {
    it(`rejects with session.invalid for ${String(wrong)}`, async () => {
      expect(await codeOf(open(new ScriptedStore(), { session: wrong as string }))).to.equal('session.invalid');
    });
  }

  const misconfigured: ReadonlyArray<readonly [string, object, RegExp]> = [
    ['no store', { store: undefined }, /'store' is required/],
    ['a store of another type', { store: 5 }, /store: give a SessionStore/],
    ['a memory store of its own', { store: { kind: 'memory' } }, /no labels of this session/],
    ['an unknown option', { sesion: 'x' }, /unknown option 'sesion'; did you mean 'session'\?/],
    ['no time', { storeTimeoutMs: 0 }, /'storeTimeoutMs'/],
    ['no label at all', { maxLabelsPerSession: 0 }, /'maxLabelsPerSession'/],
    ['a logger without its methods', { logger: {} }, /warn and error/],
    ['a name of another type', { name: 5 }, /'name' must be a string/],
    ['factories that are none', { storeFactories: [{}] }, /^openSession: 'storeFactories'/],
    [
      'a store with a senseless deadline',
      { store: deadline(-1), storeTimeoutMs: undefined },
      /^openSession: .*deadlineMs/,
    ],
  ];
  for (const [what, options, message] of misconfigured) {
    it(`rejects with config.invalid for ${what}`, async () => {
      const given = { session: ID, store: new ScriptedStore(), ...options } as OpenSessionOptions;
      const error = await rejectionOf(openSession(given));
      expect(error).to.be.instanceOf(AplSessionError).with.property('code', 'config.invalid');
      expect((error as Error).message).to.match(message);
    });
  }

  it('a store built from a block closes with the session or a failed load', async () => {
    const closings: string[] = [];
    const factory = (name: string, load: () => Promise<string[]>) => ({
      kind: 'own',
      build: () => Object.assign(new ScriptedStore({ load }), { close: async () => void closings.push(name) }),
    });
    const block = { kind: 'own' } as unknown as SessionStore;
    const { session } = await open(block, { storeFactories: [factory('first', async () => ['a'])] });
    expect([...session.labels]).to.deep.equal(['a']);
    expect(closings).to.deep.equal([]);
    await session.close();
    const failing = factory('second', () => Promise.reject(new Error('down')));
    expect(await codeOf(open(block, { storeFactories: [failing] }))).to.equal('session.load_failed');
    expect(closings).to.deep.equal(['first', 'second']);
  });

  it('a store that was passed in stays open', async () => {
    const store = new MemorySessionStore();
    await (await open(store)).session.close();
    expect(await store.loadLabels(ID)).to.deep.equal([]);
  });

  it('a store that several sessions share gets one listener for alarms', async () => {
    let listeners = 0;
    const store = Object.assign(new ScriptedStore(), { onAlarm: () => void listeners++ });
    for (let n = 0; n < 5; n++) await open(store);
    expect(listeners).to.equal(1);
  });

  it('G7: a process does not exit before a failed append is alarmed', async () => {
    const { stdout, code, stderr } = await runModule(`
      import { openSession } from './lib/index.js';
      const never = () => new Promise(() => {});
      const onAlarm = ({ op }) => console.log('alarm', op);
      const logger = { warn() {}, error() {} };
      const options = { session: 's', logger, onAlarm, storeTimeoutMs: 50 };
      const code = (error) => console.log(error.code);
      await openSession({ ...options, store: { loadLabels: never, appendLabels: never } }).catch(code);
      const session = await openSession({ ...options, store: { loadLabels: async () => [], appendLabels: never } });
      session.labels.add('a');
      await session.close().catch(code);`);
    expect(stderr).to.equal('');
    expect(stdout.trim().split('\n')).to.deep.equal([
      'alarm load',
      'session.load_failed',
      'alarm append',
      'session.persist_failed',
    ]);
    expect(code).to.equal(0);
  });

  it('an endpoint that does not answer rejects in time, and is closed', async () => {
    const store = { kind: 'valkey', endpoint: 'redis://127.0.0.1:1', connectTimeoutMs: 100, commandTimeoutMs: 100 };
    const more = { storeFactories: [valkeySessionStoreFactory], storeTimeoutMs: 5_000 };
    expect(await codeOf(open(store as unknown as SessionStore, more))).to.equal('session.load_failed');
  });
});

function deadline(deadlineMs: number): SessionStore {
  return Object.assign(new ScriptedStore(), { deadlineMs });
}
