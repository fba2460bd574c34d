import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { LastingFailure, type Recovery } from '../../lib/alarms/lasting-failure.js';
import { eventually } from '../support/eventually.js';

describe('LastingFailure', () => {
  let recoveries: Recovery[];
  let failure: LastingFailure;
  beforeEach(() => {
    recoveries = [];
    failure = new LastingFailure((recovery) => recoveries.push(recovery));
  });

  it('is over after a success, with the first code, the count and the duration', async () => {
    failure.failed('store.timeout');
    failure.failed('store.unavailable');
    await delay(30);
    failure.failed();
    failure.succeeded();
    expect(failure.lasts).to.equal(true);
    await eventually(() => expect(recoveries).to.have.length(1));
    expect(recoveries[0]).to.include({ code: 'store.timeout', failures: 3 });
    // up to the success, without the time after it
    expect(recoveries[0]?.durationMs).to.be.within(25, 900);
    expect(failure.lasts).to.equal(false);
  });

  it('is not over if another failure follows within a second', async () => {
    failure.failed('store.timeout');
    failure.succeeded();
    failure.failed('store.timeout');
    await delay(1_300);
    expect(recoveries).to.deep.equal([]);
    failure.succeeded();
    await eventually(() => expect(recoveries).to.have.length(1));
    expect(recoveries[0]).to.include({ failures: 2 });
  });

  it('is not over without a success, also if it is settled', () => {
    failure.failed('store.timeout');
    failure.settle();
    expect(failure.lasts).to.equal(true);
    failure.succeeded();
    failure.settle();
    expect(recoveries).to.have.length(1);
    expect(failure.lasts).to.equal(false);
  });

  it('a success without a failure is nothing', () => {
    failure.succeeded();
    failure.settle();
    expect(recoveries).to.deep.equal([]);
  });

  it('begins again after a recovery', () => {
    for (const code of ['store.timeout', 'store.unavailable']) {
      failure.failed(code);
      failure.succeeded();
      failure.settle();
    }
    expect(recoveries.map(({ code, failures }) => ({ code, failures }))).to.deep.equal([
      { code: 'store.timeout', failures: 1 },
      { code: 'store.unavailable', failures: 1 },
    ]);
  });
});
