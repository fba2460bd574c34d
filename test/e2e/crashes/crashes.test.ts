import { expect } from 'chai';
import { cellOf, holds } from './crash-table.js';
import { FEATURE_SETS } from './feature-sets.js';
import { Lab } from './lab.js';
import { assertPowerServer } from './power-server.js';
import { SINGLE_SERVER_EVENTS } from './single-server-events.js';
import { runTrial } from './trial.js';

/** Enough for each claim. The program `npm run crashes` has more, and the failovers. */
const LABELS = 100;

describe('labels that were acknowledged before Valkey lost data', () => {
  let lab: Lab | undefined;

  before('starts the app and finds a Valkey', async function () {
    this.timeout(60_000);
    lab = await Lab.open();
    try {
      await (await lab.server()).kill();
    } catch (error) {
      if (process.env['REQUIRE_VALKEY_TESTS'] === '1') throw error;
      console.warn(`      pending, no Valkey: ${(error as Error).message}`);
      this.skip();
    }
  });
  after(() => lab?.close());

  for (const event of SINGLE_SERVER_EVENTS) {
    it(`${event.title.replaceAll('`', '')}: each feature does what the table says`, async function () {
      this.timeout(120_000);
      if (event.title.startsWith('power loss')) skipWithoutPowerServer(this);
      for (const features of FEATURE_SETS) {
        const outcome = await runTrial(lab as Lab, event, features, LABELS);
        const claim = event.claims[features.title];
        expect(holds(claim, outcome), `${features.title}: "${claim}" is claimed, but ${cellOf(outcome)}`).to.equal(
          true,
        );
      }
    });
  }
});

/** The server must be a process of this machine, and a library that records its fsyncs is compiled. */
function skipWithoutPowerServer(test: Mocha.Context): void {
  try {
    assertPowerServer();
  } catch (error) {
    console.warn(`      pending, it needs valkey-server and cc: ${(error as Error).message}`);
    test.skip();
  }
}
