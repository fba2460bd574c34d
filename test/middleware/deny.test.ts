import { expect } from 'chai';
import request from 'supertest';
import type { Violation } from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { instancesIn, withAnyInstance } from '../support/denial-instance.js';
import { eventually, thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import {
  DENIAL_BODY,
  failingStore,
  guardFixture,
  INVALID_VIOLATIONS,
  LABEL,
  SESSION,
  storeWith,
  VIOLATION,
} from '../support/guard-fixture.js';
import { HeldStore } from '../support/held-store.js';
import { exchange, get, Wire } from '../support/raw-http.js';

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`deny(), ${version}`, () => {
    const { alarms, appOf, listen } = guardFixture(express);

    it('G3: the first violation stays, and one response leaves', async () => {
      const seen: unknown[] = [];
      const app = appOf(storeWith(), (req) => {
        req.security.deny(VIOLATION);
        req.security.deny({ code: 'second', reason: 'another' });
        seen.push(req.security.violation);
      });
      const { body } = await request(app).get('/').expect(403);
      expect(body.code).to.equal('session_tainted');
      expect(seen).to.deep.equal([VIOLATION]);
      expect(seen[0]).to.be.frozen;
    });

    it('G2: headers and status that the handler had set do not leave', async () => {
      const app = appOf(storeWith(), (req, res) => {
        res.status(201).cookie('stolen', '1').set({ Location: '/stolen', ETag: '"stolen"', 'X-Stolen': '1' });
        req.security.deny(VIOLATION);
      });
      const { text, headers } = await request(app).get('/').expect(403);
      expect(withAnyInstance(text)).to.equal(DENIAL_BODY);
      expect(JSON.stringify(headers)).to.not.contain('stolen');
    });

    for (const [what, store] of [
      ['with labels held by a store that works', () => storeWith()],
      ['with labels held by a store that fails', failingStore],
    ] as const) {
      it(`G2: after writeHead and write, ${what}: denies the held response`, async () => {
        const scripted = store();
        const port = await listen(
          appOf(scripted, (req, res) => {
            req.security.labels.add(LABEL);
            res.writeHead(200, { 'X-Stolen': '1' });
            res.write('stolen');
            req.security.deny(VIOLATION);
            res.end('stolen');
          }),
        );
        const { text } = await exchange(port, get('/', { Connection: 'close' }));
        expect(text).to.match(/^HTTP\/1\.1 403 Forbidden\r\n/);
        expect(withAnyInstance(text).endsWith(`\r\n\r\n${DENIAL_BODY}`)).to.equal(true);
        expect(text).to.not.match(/stolen\b(?! )/i);
        expect(scripted.appends).to.deep.equal([[LABEL]]);
      });
    }

    it('after writeHead, with no byte out: the denial has nothing of that head', async () => {
      const port = await listen(
        appOf(storeWith(), (req, res) => {
          res.writeHead(200, { 'X-Stolen': '1' });
          req.security.deny(VIOLATION);
          res.end('stolen');
        }),
      );
      const { text } = await exchange(port, get('/', { Connection: 'close' }));
      expect(text).to.match(/^HTTP\/1\.1 403 Forbidden\r\n/);
      expect(withAnyInstance(text).endsWith(`\r\n\r\n${DENIAL_BODY}`)).to.equal(true);
      expect(text).to.not.match(/stolen\b(?! )/i);
    });

    it('G2, P44: after bytes have left the connection is cut, not ended', async () => {
      const port = await listen(
        appOf(storeWith(), (req, res) => {
          res.write('first', () => {
            req.security.deny(VIOLATION);
            res.end('second');
          });
        }),
      );
      const { text } = await exchange(port, get('/'));
      expect(text).to.match(/\r\n\r\n5\r\nfirst\r\n$/);
    });

    it('after the response has ended, it changes nothing on the wire', async () => {
      let violation: Violation | undefined;
      const closed = deferred<void>();
      const app = appOf(storeWith(), (req, res) => {
        res.once('close', () => {
          req.security.deny(VIOLATION);
          violation = req.security.violation;
          closed.resolve();
        });
        res.send('ok');
      });
      const port = await listen(app);
      const wire = new Wire(port);
      wire.send(get('/'));
      await wire.until(/ok$/);
      await closed.promise;
      wire.send(get('/probe', { Connection: 'close' }));
      expect(await wire.closed()).to.match(/ok(HTTP\/1\.1 200 .*probed)$/s);
      expect(violation).to.deep.equal(VIOLATION);
    });

    it('G1: new labels are persisted before the denial leaves', async () => {
      const store = new HeldStore();
      const port = await listen(
        appOf(store, (req) => {
          req.security.labels.add(LABEL);
          req.security.deny(VIOLATION);
        }),
      );
      const wire = new Wire(port);
      wire.send(get('/', { Connection: 'close' }));
      await store.called();
      await exchange(port, get('/probe', { Connection: 'close' }));
      expect(wire.received).to.equal('');
      store.release();
      const text = await wire.closed();
      expect(withAnyInstance(text).endsWith(DENIAL_BODY)).to.equal(true);
      expect(await store.loadLabels(SESSION)).to.deep.equal([LABEL]);
      expect(alarms).to.deep.equal([]);
    });

    it('G3: if that append fails, the denial stays, and an alarm is raised', async () => {
      const app = appOf(failingStore(), (req) => {
        req.security.labels.add(LABEL);
        req.security.deny(VIOLATION);
      });
      const { text } = await request(app).get('/').expect(403);
      expect(withAnyInstance(text)).to.equal(DENIAL_BODY);
      expect(alarms).to.have.length(1);
      const [instance] = instancesIn(text);
      expect(alarms[0]).to.include({ decisionWasAllow: false, bytesSent: false, instance });
    });

    it('G7: a label added after the denial has left is persisted', async () => {
      const store = storeWith();
      const app = appOf(store, (req, res) => {
        req.security.deny(VIOLATION);
        res.once('close', () => req.security.labels.add(LABEL));
      });
      await request(app).get('/').expect(403);
      await eventually(() => expect(store.appends).to.deep.equal([[LABEL]]));
    });

    for (const [what, violation] of INVALID_VIOLATIONS) {
      it(`${what} is violation.invalid, and does not deny`, async () => {
        const app = appOf(storeWith(), (req, res) => {
          const error = thrownBy(() => req.security.deny(violation as Violation));
          expect(error).to.have.property('code', 'violation.invalid');
          expect(req.security.violation).to.equal(undefined);
          res.send('went on');
        });
        await request(app).get('/').expect(200, 'went on');
      });
    }
  });
}
