import { expect } from 'chai';
import request from 'supertest';
import { denyIf, taint } from '../../lib/index.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { assertDenialOnly, DENIAL_BODY, guardFixture, LABEL, storeWith, VIOLATION } from '../support/guard-fixture.js';
import { exchange, get } from '../support/raw-http.js';

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`denyIf, ${version}`, () => {
    const { alarms, appOf, handled, handler, listen } = guardFixture(express);

    for (const [answer, status] of [
      [true, 403],
      [false, 200],
    ] as const) {
      it(`an async predicate that resolves to ${answer}: ${status}`, async () => {
        const app = appOf(
          storeWith(),
          denyIf(async () => answer, VIOLATION),
          handler,
        );
        await request(app).get('/').expect(status);
      });
    }

    const conditions: ReadonlyArray<readonly [what: string, condition: Parameters<typeof denyIf>[0]]> = [
      ['a label', 'b'],
      ['any of several labels', { any: ['x', 'b'] }],
      ['all of several labels', { all: ['a', 'b'] }],
      ['a predicate', (req) => req.security.labels.has('b') && req.path === '/'],
    ];
    for (const [what, condition] of conditions) {
      it(`${what}: denies a session that has it, and lets others through`, async () => {
        const port = await listen(appOf(storeWith('a', 'b'), denyIf(condition, VIOLATION), handler));
        const { text } = await exchange(port, get('/', { Connection: 'close' }));
        assertDenialOnly(text);
        expect(handled()).to.equal(0);
        await request(appOf(storeWith('a'), denyIf(condition, VIOLATION), handler))
          .get('/')
          .expect(200, 'handled');
        expect(handled()).to.equal(1);
        expect(alarms).to.deep.equal([]);
      });
    }

    it('sees a label that the same request has added', async () => {
      const app = appOf(storeWith(), taint(LABEL), denyIf(LABEL, VIOLATION), handler);
      await request(app).get('/').expect(403);
      expect(handled()).to.equal(0);
    });

    it('the caller’s list and violation are copied', async () => {
      const labels: [string] = ['b'];
      const violation = { ...VIOLATION };
      const guard = denyIf({ any: labels }, violation);
      labels[0] = 'changed';
      violation.code = 'changed';
      const { body } = await request(appOf(storeWith('b'), guard, handler))
        .get('/')
        .expect(403);
      expect(body.code).to.equal('session_tainted');
    });

    it('labels differ by case', async () => {
      await request(appOf(storeWith('B'), denyIf({ any: ['b'] }, VIOLATION), denyIf('b', VIOLATION), handler))
        .get('/')
        .expect(200);
    });

    it('HEAD is denied without a body', async () => {
      const port = await listen(appOf(storeWith('b'), denyIf('b', VIOLATION), handler));
      const { text } = await exchange(port, get('/', { Connection: 'close' }).replace('GET', 'HEAD'));
      expect(text)
        .to.match(/^HTTP\/1\.1 403 .*\r\n\r\n$/s)
        .and.to.contain(`Content-Length: ${DENIAL_BODY.length}`);
    });
  });
}
