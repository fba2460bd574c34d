import { expect } from 'chai';
import { clockOf, connectionOf, latencyOf, timeIn } from '../../lib/cli/doctor/timing-checks.js';

const DEADLINES = { connectTimeoutMs: 250, commandTimeoutMs: 500 };

describe('doctor: connection, latency and clock', () => {
  it('a connection that takes longer than the app waits is a warning', () => {
    expect(connectionOf(250, DEADLINES)).to.include({ status: 'ok' });
    expect(connectionOf(250.1, DEADLINES)).to.include({ status: 'warning' });
  });

  it('one round trip longer than a fifth of the deadline is a warning', async () => {
    let trips = 0;
    const roundTrip = async (): Promise<void> => {
      trips += 1;
      const endMs = performance.now() + (trips === 7 ? 3 : 0);
      while (performance.now() < endMs);
    };
    const slow = await latencyOf(roundTrip, { ...DEADLINES, commandTimeoutMs: 14 });
    expect(slow).to.include({ status: 'warning' });
    expect(slow.detail).to.match(/^10 round trips took \d+\.\d to [3-9]\.\d ms/);
    expect(trips).to.equal(10);
    trips = 100;
    expect(await latencyOf(roundTrip, DEADLINES)).to.include({ status: 'ok' });
  });

  it('a clock that differs by more than two seconds is a warning', () => {
    const at = 1_000_000;
    expect(clockOf(at + 2_000, at - 10, at + 10)).to.include({ status: 'ok' });
    expect(clockOf(at + 2_001, at - 10, at + 10)).to.include({
      status: 'warning',
      detail: 'the clock of the server is 2001 ms ahead of the clock of this machine',
    });
    expect(clockOf(at - 2_001, at, at).detail).to.include('2001 ms behind');
    expect(clockOf(undefined, at, at)).to.include({ status: 'unknown' });
  });

  it('TIME is seconds and microseconds', () => {
    expect(timeIn(['1795862939', '775230'])).to.equal(1_795_862_939_775.23);
    expect(timeIn(null)).to.equal(undefined);
  });
});
