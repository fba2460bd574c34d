import { expect } from 'chai';
import request from 'supertest';
import { CEDAR_POLICIES, CEL_EXPRESSION, ENGINES } from '../../examples/policies/app.js';
import { decideByCedar } from '../../examples/policies/cedar.js';
import { decideByCel } from '../../examples/policies/cel.js';
import { type Alarm, aplSessionMiddleware, type DecidePolicy, policy } from '../../lib/index.js';
import { thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';

const VIOLATION = { code: 'mail_refused', reason: 'no' };
type Decide = DecidePolicy<string | undefined>;

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`policy engines, ${version}`, () => {
    /** The answer to a user's mail from a session with these labels: the status, and the codes of denial and alarm. */
    async function ask(decide: Decide, user: string | undefined, labels: readonly string[]) {
      const alarms: Alarm[] = [];
      const app = express().set('env', 'test');
      app.use(
        aplSessionMiddleware({
          session: () => 'session-of-alice',
          store: new ScriptedStore({ load: async () => labels }),
          logger: { warn() {}, error() {} },
          onAlarm: (alarm) => void alarms.push(alarm),
        }),
      );
      app.get('/', policy(decide, { subject: () => user }), (_req, res) => void res.json({ code: 'sent' }));
      const { status, body } = await request(app).get('/');
      return [status, body.code, ...alarms.map(({ alarm }) => alarm)];
    }

    for (const [engine, make] of ENGINES) {
      it(`${engine} decides on subject and labels`, async () => {
        const decide = make();
        expect(await ask(decide, 'alice', [])).to.deep.equal([200, 'sent']);
        expect(await ask(decide, 'alice', ['PII', 'Secret'])).to.deep.equal([200, 'sent']);
        expect(await ask(decide, 'alice', ['PII', 'secret'])).to.deep.equal([403, 'mail_refused']);
        expect(await ask(decide, 'bob', [])).to.deep.equal([403, 'mail_refused']);
        expect(await ask(decide, undefined, [])).to.deep.equal([403, 'mail_refused']);
      });
    }

    it('G2: Cedar: an error in a forbid does not let the request through', async () => {
      const failing = 'forbid (principal, action, resource) when { 9223372036854775807 + 1 > 0 };';
      const decide = decideByCedar(`${CEDAR_POLICIES}${failing}`, VIOLATION);
      expect(await ask(decide, 'alice', [])).to.deep.equal([403, 'policy.error', 'policy_error']);
    });

    it('G2: CEL: an error in an expression does not let the request through', async () => {
      const decide = decideByCel(`labels[7] != "secret" && ${CEL_EXPRESSION}`, VIOLATION);
      expect(await ask(decide, 'alice', [])).to.deep.equal([403, 'policy.error', 'policy_error']);
    });
  });
}

describe('policy engines, construction', () => {
  it('two sets of Cedar policies in one process do not mix', async () => {
    const input = { labels: new Set<string>(), subject: 'alice' } as unknown as Parameters<Decide>[0];
    const permitting = decideByCedar(CEDAR_POLICIES, VIOLATION);
    const refusing = decideByCedar('forbid (principal, action, resource);', VIOLATION);
    expect(permitting(input)).to.deep.equal({ allow: true });
    expect(refusing(input)).to.equal(VIOLATION);
  });

  for (const [what, call, message] of [
    ['Cedar: a syntax error', () => decideByCedar('permit', VIOLATION), /parse/],
    ['Cedar: a name misspelt', () => decideByCedar(CEDAR_POLICIES.replace('labels', 'lables'), VIOLATION), /lables/],
    ['CEL: a syntax error', () => decideByCel('!(', VIOLATION), /Unexpected/],
    ['CEL: a name misspelt', () => decideByCel('"secret" in lables', VIOLATION), /lables/],
    ['CEL: no bool', () => decideByCel('labels.size()', VIOLATION), /must be a bool; it is int/],
  ] as const) {
    it(`${what} is thrown at the start`, () => {
      expect(thrownBy(call)).to.be.instanceOf(Error).with.property('message').that.matches(message);
    });
  }
});
