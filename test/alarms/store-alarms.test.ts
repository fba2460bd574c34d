import { expect } from 'chai';
import { StoreAlarms } from '../../lib/alarms/store-alarms.js';
import { MemorySessionStore, type StoreStatus } from '../../lib/index.js';

/** What a line says about the store. */
function storeInLine(status: Partial<StoreStatus>): unknown {
  const store = new MemorySessionStore();
  store.status = () => ({ connected: false, since: '', ...status });
  const lines: Array<{ store?: unknown }> = [];
  const log = new StoreAlarms(store).logOn({ warn: (_message, fields) => lines.push(fields), error() {} });
  log.write({ alarm: 'session_store_not_durable', error: 'x' }, 60_000);
  log.flush();
  expect(lines).to.have.length(1);
  return lines[0]?.store;
}

describe('StoreAlarms', () => {
  it('lines name the primaries; before the first connection, the addresses in the options', () => {
    const addresses = ['one:26379', 'two:26379'];
    expect(storeInLine({ primaries: ['db:6379'], addresses })).to.equal('db:6379');
    expect(storeInLine({ primaries: [], addresses })).to.equal('one:26379, two:26379');
    expect(storeInLine({})).to.equal(undefined);
  });

  it('all reporters with one logger share its lines, and so do all without a logger', () => {
    const alarms = new StoreAlarms(new MemorySessionStore());
    const logger = { warn() {}, error() {} };
    expect(alarms.logOn(logger)).to.equal(alarms.logOn(logger));
    expect(alarms.logOn(undefined)).to.equal(alarms.logOn(undefined));
    expect(alarms.logOn(logger)).to.not.equal(alarms.logOn({ warn() {}, error() {} }));
  });
});
