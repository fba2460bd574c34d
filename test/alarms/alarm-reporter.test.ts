import { expect } from 'chai';
import { AlarmReporter } from '../../lib/alarms/alarm-reporter.js';
import type { Alarm } from '../../lib/index.js';

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
      { alarm: 'session_missing', route: 'GET /', reason: 'x', error: 'x' },
      'warn',
      'request without a session added labels, passed a guard or was denied; its labels are not stored',
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
      new AlarmReporter(logger, (given) => void heard.push(given)).raise({ ...alarm });
      expect(logged).to.deep.equal([[level, message, alarm]]);
      expect(heard).to.have.length(1);
      expect(heard[0]).to.equal(logged[0]?.[2]);
      expect(heard[0]).to.be.frozen;
    });
  }

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
    const { raise } = new AlarmReporter(logger, undefined);
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
      const alarms = new AlarmReporter({ warn: fail, error: fail }, fail as () => void);
      alarms.raise({ alarm: 'session_store_ttl_refresh_failed', error: '' });
    }
    // an unhandled rejection would be raised before this is over, and fail the run
    await new Promise((resolve) => setImmediate(resolve));
  });
});
