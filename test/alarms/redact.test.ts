import { expect } from 'chai';
import { errorText } from '../../lib/alarms/redact.js';

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
      'at redis://*** and rediss://***',
    ],
    ['without a raw / in them', new Error('redis://u:p/w@h:1 is down'), [], 'redis://*** is down'],
    ['without those before a host alone', new Error('no route to u:p@h:1'), [], 'no route to ***'],
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
    ['also of a word of a million characters', new Error(`${'a/:'.repeat(333_333)}@h`), [], '***'],
    [
      'without a host name that may be a password',
      new Error('user:a@hunter2:6379, redis://user:a@hunter2:6379'),
      [],
      '*** redis://***',
    ],
    [
      'with the IP address or localhost behind a login',
      new Error('redis://u:p@10.0.0.5:6379/2 u:p@[::1]:1: u:p@localhost'),
      [],
      'redis://***@10.0.0.5:6379/2 ***@[::1]:1: ***@localhost',
    ],
    ['without a port that is not a number', new Error('u:p@localhost:hunter2'), [], '***'],
    ['also of one without an @', new Error('//:?'.repeat(250_000)), [], '//:?'.repeat(125)],
    ['cut at 500 characters', new Error('x'.repeat(600)), [], 'x'.repeat(500)],
    ['of what has no text', Object.create(null), [], 'an error without a text'],
    ['of an error whose message is no string', Object.assign(new Error('x'), { message: 5 }), [], '5'],
  ];
  for (const [what, error, secrets, text] of cases) {
    it(what, () => expect(errorText(error, secrets)).to.equal(text));
  }

  it('removes a secret before it cuts the text, so no half of it stays', () => {
    expect(errorText(new Error(`${'x'.repeat(495)}secret-label`), ['secret-label'])).to.equal(`${'x'.repeat(495)}***`);
  });
});
