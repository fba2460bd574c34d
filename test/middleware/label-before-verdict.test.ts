import { expect } from 'chai';
import { GatedServer } from '../support/gated-server.js';

/** More than there are between the store's acknowledgement and the release of the response. */
const MOST_MICROTASKS = 14;

describe('a label that comes between an acknowledgement and the verdict on what was held', () => {
  let gated: GatedServer;
  afterEach(() => gated.stop());

  for (let microtasks = 0; microtasks <= MOST_MICROTASKS; microtasks++) {
    it(`G2, G7: ${microtasks} microtasks after it: is appended, and what was not tried refuses nothing`, async () => {
      gated = await new GatedServer().start(async (res, security) => {
        security.labels.add('first');
        const persisted = security.persist();
        gated.store.succeed();
        for (let n = 0; n < microtasks; n++) await undefined;
        res.write('one');
        security.labels.add('second');
        gated.store.called().then(() => gated.store.succeed());
        await persisted;
        res.end('two');
      });
      expect(await gated.request().closed()).to.match(/^HTTP\/1\.1 200 .*one.*two/s);
      expect(gated.store.appended).to.deep.equal([['first'], ['second']]);
      expect(gated.alarms).to.deep.equal([]);
    });
  }
});
