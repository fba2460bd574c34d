import { expect } from 'chai';
import { StoreFailures } from '../../lib/alarms/store-failures.js';
import type { SessionStoreRecovered } from '../../lib/index.js';

describe('StoreFailures', () => {
  let failures: StoreFailures;
  let heard: SessionStoreRecovered[];
  const listen = (alarm: SessionStoreRecovered): void => void heard.push(alarm);
  beforeEach(() => {
    failures = new StoreFailures();
    heard = [];
  });
  const recoveredAfter = (code: string | undefined, success: 'load' | 'append'): boolean => {
    failures.failed('append', code, listen, listen);
    failures.succeeded(success);
    failures.settle();
    return heard.length > 0;
  };

  for (const code of [
    'store.unavailable',
    'store.timeout',
    'store.circuit_open',
    'store.login_failed',
    'store.tls_failed',
    'store.certificate_expired',
  ]) {
    it(`an append with ${code} is over when any call succeeds`, () => {
      expect(recoveredAfter(code, 'load')).to.equal(true);
      expect(failures.last).to.equal(false);
    });
  }

  for (const code of ['store.command_failed', 'store.not_permitted', 'store.full', undefined]) {
    it(`an append with ${code ?? 'no code'} is over when an append succeeds, not a load`, () => {
      expect(recoveredAfter(code, 'load')).to.equal(false);
      expect(failures.last).to.equal(true);
      expect(recoveredAfter(code, 'append')).to.equal(true);
    });
  }

  it('one failure of another kind is enough for the stricter rule', () => {
    failures.failed('append', 'store.timeout', listen, listen);
    expect(recoveredAfter('store.full', 'load')).to.equal(false);
    expect(recoveredAfter('store.timeout', 'append')).to.equal(true);
    // the next failure begins anew
    heard = [];
    expect(recoveredAfter('store.timeout', 'load')).to.equal(true);
  });

  for (const code of ['store.too_many_labels', 'store.malformed_reply']) {
    it(`${code} concerns one session, and never lasts`, () => {
      failures.failed('load', code, listen, listen);
      expect(failures.last).to.equal(false);
    });
  }

  it('each key hears once, and at most 100 do', () => {
    for (let index = 0; index < 500; index += 1) failures.failed('load', 'store.timeout', index % 250, listen);
    failures.succeeded('load');
    failures.settle();
    expect(heard).to.have.length(100);
    expect(heard[0]).to.include({ failures: 500, op: 'load', after: 'session_store_failure' });
    expect(new Set(heard).size).to.equal(1);
  });
});
