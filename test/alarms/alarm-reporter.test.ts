import { expect } from 'chai';
import { helpFor } from '../../lib/alarms/alarm-text.js';
import { VERSION } from '../../lib/contract/version.js';
import type { Alarm } from '../../lib/index.js';
import { alarmReporter } from '../support/alarm-reporter.js';
import { all, read } from '../support/documents.js';

describe('AlarmReporter', () => {
  const cases: ReadonlyArray<readonly [alarm: Alarm, level: string, message: string]> = [
    [
      { alarm: 'session_store_failure', op: 'load', route: 'GET /', error: 'x' },
      'error',
      'session label load failed; failing request closed',
    ],
    [
      { alarm: 'session_store_failure', op: 'append', route: 'GET /', error: 'x' },
      'error',
      'session label persist failed; failing request closed',
    ],
    [
      { alarm: 'session_store_regression', route: 'GET /', lostLabels: 1, error: 'x' },
      'error',
      'the session store has lost labels; appending them again',
    ],
    [{ alarm: 'session_store_ttl_refresh_failed', error: 'x' }, 'warn', 'TTL refresh on load failed; labels returned'],
    [
      { alarm: 'denial_not_rendered', route: 'GET /', error: 'x' },
      'error',
      'denial could not be rendered; default denial sent',
    ],
    [
      { alarm: 'session_store_circuit_changed', state: 'open', error: 'x' },
      'warn',
      'circuit breaker of the session store changed its state',
    ],
    [{ alarm: 'session_store_unsafe_eviction', error: 'x' }, 'warn', 'the session store may evict labels'],
    [{ alarm: 'session_store_not_durable', error: 'x' }, 'warn', 'the session store may lose labels in a crash'],
    [
      { alarm: 'session_store_unsupported_server', error: 'x' },
      'warn',
      'the session store runs on an unsupported server',
    ],
    [
      { alarm: 'session_store_ttl_unsound', error: 'x', ttlSeconds: 1, maxSessionLifetimeSeconds: 2 },
      'warn',
      'labels may expire before their session does; raise ttlSeconds',
    ],
    [
      {
        alarm: 'session_store_recovered',
        after: 'session_store_failure',
        op: 'load',
        durationMs: 1,
        failures: 1,
        error: 'x',
      },
      'warn',
      'session label loads succeed again',
    ],
    [
      {
        alarm: 'session_store_recovered',
        after: 'session_store_failure',
        op: 'append',
        durationMs: 1,
        failures: 1,
        error: 'x',
      },
      'warn',
      'session labels are persisted again',
    ],
    [
      {
        alarm: 'session_store_recovered',
        after: 'session_store_not_durable',
        durationMs: 1,
        failures: 1,
        error: 'x',
      },
      'warn',
      'a failure of the session store is over',
    ],
    [
      { alarm: 'session_missing', route: 'GET /', reason: 'x', error: 'x' },
      'warn',
      'request without a session added or read labels, passed a guard or was denied; its labels are not stored',
    ],
    [
      { alarm: 'session_unknown', route: 'GET /', error: 'x' },
      'warn',
      'a request was denied because its session is not enrolled',
    ],
    [
      { alarm: 'policy_error', guard: 'denyIf', route: 'GET /', error: 'x' },
      'error',
      'policy could not be evaluated; request denied',
    ],
    [
      { alarm: 'policy_would_deny', guard: 'denyIf', route: 'GET /', code: 'tainted', error: 'x' },
      'warn',
      'a guard that observes would have denied a request',
    ],
  ];
  for (const [alarm, level, message] of cases) {
    it(`${message}: ${level}, and the listener is called`, () => {
      const logged: unknown[][] = [];
      const heard: Alarm[] = [];
      const logger = {
        warn: (...args: unknown[]) => void logged.push(['warn', ...args]),
        error: (...args: unknown[]) => void logged.push(['error', ...args]),
      };
      alarmReporter({ logger, onAlarm: (given) => void heard.push(given) }).raise({ ...alarm });
      const origin = { package: 'express-apl-session', version: VERSION, help: helpFor(alarm) };
      expect(logged).to.deep.equal([[level, message, { ...alarm, ...origin }]]);
      expect(heard).to.deep.equal([alarm]);
      expect(heard[0]).to.be.frozen;
    });
  }

  it('each alarm has a row here, so it has a level and a message', () => {
    const declared = all(/readonly alarm: '([^']+)'/g, read('lib/contract/alarms.ts')).map(([, alarm]) => alarm);
    expect([...new Set(cases.map(([{ alarm }]) => alarm))]).to.have.members(declared);
  });

  it('the help of each alarm and code is a heading of docs/errors.md', () => {
    const headings = all(/^### `(.+)`$/gm, read('docs/errors.md')).map(([, heading = '']) =>
      heading.replaceAll('.', ''),
    );
    const codes = all(/\| '(store\.[^']+)'/g, read('lib/contract/errors.ts')).map(([, code = '']) => code);
    const given = codes.map(
      (code): Alarm => ({ alarm: 'session_store_failure', op: 'load', route: '', error: '', code }),
    );
    for (const alarm of [...cases.map(([each]) => each), ...given]) {
      const [document, anchor] = helpFor(alarm).split('#');
      expect(document).to.equal('express-apl-session/docs/errors.md');
      expect(headings).to.include(anchor);
    }
  });

  it('calls the logger as a method, and works without a listener', () => {
    class CountingLogger {
      #count = 0;
      warn(): void {}
      error(): number {
        return ++this.#count;
      }
      get count(): number {
        return this.#count;
      }
    }
    const logger = new CountingLogger();
    const { raise } = alarmReporter({ logger });
    raise({ alarm: 'session_store_failure', op: 'load', route: 'GET /', error: 'x' });
    expect(logger.count).to.equal(1);
  });

  it('neither a logger nor a listener can throw or reject through it', async () => {
    const fails: ReadonlyArray<() => unknown> = [
      () => {
        throw new Error('thrown');
      },
      () => Promise.reject(new Error('rejected')),
    ];
    for (const fail of fails) {
      const alarms = alarmReporter({ logger: { warn: fail, error: fail }, onAlarm: fail as () => void });
      alarms.raise({ alarm: 'session_store_ttl_refresh_failed', error: '' });
    }
    // an unhandled rejection would be raised before this is over, and fail the run
    await new Promise((resolve) => setImmediate(resolve));
  });
});
