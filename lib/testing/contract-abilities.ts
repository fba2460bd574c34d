import assert from 'node:assert/strict';
import type { SessionStore } from '../contract/session-store.js';
import { now, setTimeout } from '../util/clock.js';
import { withDeadline } from '../util/deadlines.js';
import type { SessionStoreContractOptions, SessionStoreTtl, StoreOutage } from './contract-options.js';
import { assertCode, type CaseDefinition, load, rejectionOf } from './contract-run.js';

const DEFAULT_DEADLINE_MS = 1_000;
/** A busy machine must not fail a store that is within its deadline. */
const DEADLINE_MARGIN_MS = 500;
const RECOVERY_MS = 5_000;
const TTL_SECONDS = 2;
/** More than half of the TTL: a session that is used after each step stays, any other session is deleted in the second one. */
const TTL_STEP_MS = 1_200;

/** The optional members that the store has must be valid, and the options must name them: otherwise nothing tests them. */
export function memberCases(options: SessionStoreContractOptions): readonly CaseDefinition[] {
  return [
    {
      title: 'the optional members of the store are valid, and the options of the suite name them',
      body: async (run) => {
        const store = await run.open();
        const { deadlineMs, maxLabelsPerSession, ttlSeconds } = store;
        assert.ok(deadlineMs === undefined || deadlineMs > 0, 'deadlineMs must be a number of milliseconds above 0');
        if (maxLabelsPerSession !== undefined) assertWhole('maxLabelsPerSession', maxLabelsPerSession);
        if (ttlSeconds !== undefined) assertWhole('ttlSeconds', ttlSeconds);
        assertNamed('limit', options.limit === true, 'maxLabelsPerSession', maxLabelsPerSession !== undefined);
        assertNamed('close', options.close === true, 'close()', store.close !== undefined);
        assertNamed('check', options.check === true, 'check()', store.check !== undefined);
        assertNamed('provenance', options.provenance === true, 'provenance', store.provenance === true);
        if (ttlSeconds !== undefined) assertNamed('ttl', options.ttl !== undefined, 'ttlSeconds', true);
      },
    },
  ];
}

function assertWhole(member: string, value: number): void {
  assert.ok(Number.isSafeInteger(value) && value >= 1, `${member} must be an integer of at least 1, not ${value}`);
}

function assertNamed(option: string, named: boolean, member: string, present: boolean): void {
  const fix = present ? `The store has ${member}: pass the option` : `The store has no ${member}: leave out the option`;
  assert.equal(named, present, `${fix} '${option}' to sessionStoreContract()`);
}

/** For a store with `maxLabelsPerSession`. */
export const limitCases: readonly CaseDefinition[] = [
  {
    title: 'a session may have maxLabelsPerSession labels; more of them reject, and are never cut off',
    body: async (run) => {
      const store = await run.open();
      const labels = Array.from({ length: limitOf(store) }, (_, index) => `label-${index}`);
      await store.appendLabels(run.id(), labels);
      assert.equal((await load(store, run.id())).length, labels.length);
      const error = await rejectionOf('an append beyond maxLabelsPerSession, or the next load,', async () => {
        await store.appendLabels(run.id(), ['one more']);
        await store.loadLabels(run.id());
      });
      assertCode(error, 'store.too_many_labels', 'an append beyond maxLabelsPerSession, or the next load,');
      await store.appendLabels(run.id('another session'), ['a']);
      assert.deepEqual(await load(store, run.id('another session')), ['a']);
    },
  },
  {
    title: 'an append of more than maxLabelsPerSession labels rejects, and stores no label',
    body: async (run) => {
      const store = await run.open();
      const labels = Array.from({ length: limitOf(store) + 1 }, (_, index) => `label-${index}`);
      const error = await rejectionOf('the append', () => store.appendLabels(run.id(), labels));
      assertCode(error, 'store.too_many_labels', 'the append');
      assert.deepEqual(await load(store, run.id()), []);
    },
  },
];

function limitOf({ maxLabelsPerSession }: SessionStore): number {
  return maxLabelsPerSession ?? assert.fail('the store has no maxLabelsPerSession');
}

/** For a store with `ttlSeconds`. */
export function ttlCases(ttl: SessionStoreTtl): readonly CaseDefinition[] {
  const elapse = (ms: number): void | Promise<void> => (ttl.elapse ? ttl.elapse(ms) : waitMs(ms));
  return [
    {
      title: 'a session is deleted ttlSeconds after its last load or append, and not before',
      body: async (run) => {
        const store = run.use(await ttl.open(TTL_SECONDS));
        assert.equal(store.ttlSeconds, TTL_SECONDS, 'a store that deletes sessions must have ttlSeconds');
        const ids = { unused: run.id('unused'), loaded: run.id('loaded'), appended: run.id('appended') };
        for (const id of Object.values(ids)) await store.appendLabels(id, ['a']);
        await elapse(TTL_STEP_MS);
        await store.loadLabels(ids.loaded);
        await store.appendLabels(ids.appended, ['a']);
        await elapse(TTL_STEP_MS);
        assert.deepEqual(await load(store, ids.unused), [], 'a session without calls must be deleted');
        assert.deepEqual(await load(store, ids.loaded), ['a'], 'a load must start the TTL again');
        assert.deepEqual(await load(store, ids.appended), ['a'], 'an append must start the TTL again');
      },
    },
  ];
}

function waitMs(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** For a store whose backend can be made to fail. */
export function outageCases(outage: StoreOutage, checks: boolean): readonly CaseDefinition[] {
  const during = async (action: () => Promise<void>): Promise<void> => {
    await outage.start();
    try {
      await action();
    } finally {
      await outage.end();
    }
  };
  return [
    {
      title: 'G2: a load during an outage rejects in time, and is never empty',
      body: async (run) => {
        const store = await run.open();
        await store.appendLabels(run.id(), ['a']);
        await during(async () => {
          await rejectsInTime('a load of a session with labels', store, () => store.loadLabels(run.id()));
          await rejectsInTime('a load of an unknown session', store, () => store.loadLabels(run.id('unknown')));
        });
      },
    },
    {
      title: 'G2: an append during an outage rejects in time',
      body: async (run) => {
        const store = await run.open();
        await during(() => rejectsInTime('an append', store, () => store.appendLabels(run.id(), ['a'])));
      },
    },
    {
      title: 'G5: acknowledged labels are there after an outage, and the store works again',
      body: async (run) => {
        const store = await run.open();
        await store.appendLabels(run.id(), ['a']);
        // the other cases check this call; here it must only end
        await during(() => rejectsInTime('a load', store, () => store.loadLabels(run.id())).catch(() => {}));
        assert.deepEqual(await loadAfterOutage(store, run.id()), ['a']);
        await store.appendLabels(run.id(), ['b']);
        assert.deepEqual(await load(store, run.id()), ['a', 'b']);
      },
    },
    ...(checks
      ? [
          {
            title: 'check() during an outage rejects',
            body: async (run) => {
              const store = await run.open();
              await during(async () => void (await rejectionOf('check()', () => checkOf(store))));
            },
          } satisfies CaseDefinition,
        ]
      : []),
  ];
}

async function rejectsInTime(what: string, store: SessionStore, call: () => Promise<unknown>): Promise<void> {
  const deadlineMs = store.deadlineMs ?? DEFAULT_DEADLINE_MS;
  const tooLate = new assert.AssertionError({ message: `${what} must settle within ${deadlineMs} ms (deadlineMs)` });
  await withDeadline(
    () => rejectionOf(what, call),
    deadlineMs + DEADLINE_MARGIN_MS,
    () => tooLate,
  );
}

/** A store may need some time until it is connected again. */
async function loadAfterOutage(store: SessionStore, sessionId: string): Promise<string[]> {
  const end = now() + RECOVERY_MS;
  for (;;) {
    try {
      return await load(store, sessionId);
    } catch (error) {
      if (error instanceof assert.AssertionError || now() > end) throw error;
      await waitMs(20);
    }
  }
}

/** For a store with `check()`. */
export const checkCases: readonly CaseDefinition[] = [
  {
    title: 'check() resolves with findings: name, status, detail, and possibly fix',
    body: async (run) => {
      const findings: unknown = await checkOf(await run.open());
      assert.ok(Array.isArray(findings), 'check() must resolve with an array');
      for (const { name, status, detail, fix } of findings) {
        assert.ok(typeof name === 'string' && name !== '', 'the name of a finding must be a text');
        assert.ok(
          ['ok', 'warning', 'unknown'].includes(status),
          `the status of ${name} must be ok, warning or unknown`,
        );
        assert.equal(typeof detail, 'string', `the detail of ${name} must be a text`);
        assert.ok(fix === undefined || typeof fix === 'string', `the fix of ${name} must be a text, or absent`);
      }
    },
  },
];

function checkOf(store: SessionStore): Promise<unknown> {
  return store.check?.() ?? assert.fail('the store has no check()');
}

/** For a store with `close()`. */
export const closeCases: readonly CaseDefinition[] = [
  {
    title: 'a closed store rejects both calls, and closing twice is fine',
    body: async (run) => {
      const store = await run.open();
      await store.appendLabels(run.id(), ['a']);
      await closeOf(store);
      assertCode(await rejectionOf('loadLabels()', () => store.loadLabels(run.id())), 'store.closed', 'loadLabels()');
      const append = () => store.appendLabels(run.id(), ['b']);
      assertCode(await rejectionOf('appendLabels()', append), 'store.closed', 'appendLabels()');
      await closeOf(store);
    },
  },
  {
    title: 'a store that is closed before its first call rejects too',
    body: async (run) => {
      const store = await run.open();
      await closeOf(store);
      assertCode(await rejectionOf('loadLabels()', () => store.loadLabels(run.id())), 'store.closed', 'loadLabels()');
    },
  },
];

async function closeOf(store: SessionStore): Promise<void> {
  if (!store.close) assert.fail('the store has no close()');
  await store.close();
}
