import { expect } from 'chai';
import type { SessionStore } from '../../lib/index.js';
import { GatedServer } from '../support/gated-server.js';
import { HeldStore } from '../support/held-store.js';

/** More than there are between the store's acknowledgement and the release of the response. */
const MOST_MICROTASKS = 14;

describe('a label added between the reply of the store and the release', () => {
  let gated: GatedServer;
  afterEach(() => gated.stop());

  for (let microtasks = 0; microtasks <= MOST_MICROTASKS; microtasks++) {
    it(`G2, G7: ${microtasks} microtasks later: is appended, and denies nothing`, async () => {
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
      expect(gated.store.appends).to.deep.equal([['first'], ['second']]);
      expect(gated.alarms).to.deep.equal([]);
    });
  }
});

describe('persist() while other labels are added', () => {
  let gated: GatedServer;
  afterEach(() => gated.stop());

  it('G7: close() waits for all appends of persist() before the store closes', async () => {
    const steps: string[] = [];
    const held = new HeldStore();
    const store = {
      loadLabels: async () => [],
      appendLabels: async (id: string, labels: readonly string[]) => {
        await held.appendLabels(id, labels);
        steps.push(`appended ${labels}`);
      },
      close: async () => void steps.push('closed'),
    };
    let closing: Promise<void> | undefined;
    gated = await new GatedServer().start(
      async (res, security) => {
        security.labels.add('first');
        const persisted = security.persist();
        security.labels.add('second');
        closing = gated.middleware.close();
        await persisted;
        res.end('persisted');
      },
      { store: { kind: 'own' }, storeFactories: [{ kind: 'own', build: () => store }] },
    );
    const wire = gated.request();
    await held.called();
    held.succeed();
    await held.called();
    await gated.roundTrip();
    held.succeed();
    expect(await wire.closed()).to.match(/persisted$/);
    await closing;
    expect(steps).to.deep.equal(['appended first', 'appended second', 'closed']);
  });

  it('G7: a store whose append property throws fails once', async () => {
    const store = {
      loadLabels: async () => [],
      get appendLabels(): SessionStore['appendLabels'] {
        if (gated) throw new Error('gone');
        return async () => {};
      },
    };
    gated = undefined as never;
    const started = new GatedServer();
    await started.start(
      (res, { labels }) => {
        labels.add('secret');
        res.end('answer');
      },
      { store },
    );
    gated = started;
    expect(await gated.request().closed()).to.match(/^HTTP\/1\.1 403 /);
    expect(gated.alarms).to.have.length(1);
  });
});
