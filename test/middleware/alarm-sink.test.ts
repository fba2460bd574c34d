import { expect } from 'chai';
import type { Alarm } from '../../lib/index.js';
import { alarmSink, errorText } from '../../lib/middleware/alarm-sink.js';

describe('alarmSink', () => {
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
      'labels or a guard met a request without a session; its labels are not kept',
    ],
    [
      { alarm: 'policy_error', guard: 'denyIf', route: 'GET /', error: 'x' },
      'error',
      'policy could not be evaluated; request denied',
    ],
  ];
  for (const [alarm, level, message] of cases) {
    it(`${message}: ${level}, and the same frozen object to the listener`, () => {
      const logged: unknown[][] = [];
      const heard: Alarm[] = [];
      const logger = {
        warn: (...args: unknown[]) => void logged.push(['warn', ...args]),
        error: (...args: unknown[]) => void logged.push(['error', ...args]),
      };
      alarmSink(logger, (given) => void heard.push(given))({ ...alarm });
      expect(logged).to.deep.equal([[level, message, alarm]]);
      expect(heard).to.have.length(1);
      expect(heard[0]).to.equal(logged[0]?.[2]);
      expect(heard[0]).to.be.frozen;
    });
  }

  it('calls the logger as its method, and needs no listener', () => {
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
    const raise = alarmSink(logger, undefined);
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
      alarmSink(
        { warn: fail, error: fail },
        fail as () => void,
      )({ alarm: 'session_store_ttl_refresh_failed', error: '' });
    }
    // an unhandled rejection would be raised before this is over, and fail the run
    await new Promise((resolve) => setImmediate(resolve));
  });
});

describe('errorText', () => {
  const cases: ReadonlyArray<readonly [what: string, error: unknown, secrets: string[], text: string]> = [
    ['the message of an error', new Error('no route to host'), [], 'no route to host'],
    ['anything else as text', 5, [], '5'],
    ['nothing', undefined, [], 'undefined'],
    ['without each occurrence of a secret', new Error('a-1 b a-1'), ['a-1'], '*** b ***'],
    ['without secrets that begin like others', new Error('SADD PII PII-strict'), ['PII', 'PII-strict'], 'SADD *** ***'],
    ['taking a secret literally', new Error('x.y xzy'), ['x.y'], '*** xzy'],
    ['with an empty secret as it was', new Error('text'), [''], 'text'],
    [
      'without credentials in URLs',
      new Error('at redis://u:p@h:1 and rediss://:p@h'),
      [],
      'at redis://***@h:1 and rediss://***@h',
    ],
    ['without a raw / in them', new Error('redis://u:p/w@h:1 is down'), [], 'redis://***@h:1 is down'],
    ['without those before a host alone', new Error('no route to u:p@h:1'), [], 'no route to ***@h:1'],
    [
      'without what is no database in a Redis URL',
      new Error('rediss://h/pw, redis://h/2'),
      [],
      'rediss://h/*** redis://h/2',
    ],
    ['without the query of a URL', new Error('GET https://h/a?key=pw#x failed'), [], 'GET https://h/a?*** failed'],
    [
      'without what is called a password',
      new Error('login with password=pw, user=u'),
      [],
      'login with password=***, user=u',
    ],
    [
      'with host and port as they are',
      new Error('connect ECONNREFUSED 127.0.0.1:6379'),
      [],
      'connect ECONNREFUSED 127.0.0.1:6379',
    ],
    ['also of a word of a million characters', new Error(`${'a/:'.repeat(333_333)}@h`), [], '***@h'],
    ['also of one without an @', new Error('//:?'.repeat(250_000)), [], '//:?'.repeat(125)],
    ['cut at 500 characters', new Error('x'.repeat(600)), [], 'x'.repeat(500)],
    ['of what has no text', Object.create(null), [], 'an error without a text'],
    ['of an error whose message is no string', Object.assign(new Error('x'), { message: 5 }), [], '5'],
  ];
  for (const [what, error, secrets, text] of cases) {
    it(what, () => expect(errorText(error, secrets)).to.equal(text));
  }

  it('a secret is removed before the text is cut, so that no half of it stays', () => {
    expect(errorText(new Error(`${'x'.repeat(495)}secret-label`), ['secret-label'])).to.equal(`${'x'.repeat(495)}***`);
  });
});
