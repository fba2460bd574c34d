import { expect } from 'chai';
import { sha256Hex } from '../../lib/session/digest.js';
import { RecentIds } from '../../lib/session/recent-ids.js';

function counted(): { ids: RecentIds; calls: string[] } {
  const calls: string[] = [];
  const digest = (text: string): string => {
    calls.push(text);
    return sha256Hex(text);
  };
  return { ids: new RecentIds(digest), calls };
}

describe('the ids of recent sessions', () => {
  it('G6: each text has its own id, also when thousands are in use', () => {
    const { ids } = counted();
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 5_000; n++) expect(ids.of(`alice:${n}`)).to.equal(sha256Hex(`alice:${n}`));
    }
  });

  it('are computed once for a session in use', () => {
    const { ids, calls } = counted();
    for (let n = 0; n < 5_000; n++) {
      ids.of('alice:in use');
      ids.of(`alice:${n}`);
    }
    expect(calls.filter((text) => text === 'alice:in use')).to.deep.equal(['alice:in use']);
  });

  it('take a limited memory, whatever clients send', () => {
    const { ids } = counted();
    for (let n = 0; n < 5_000; n++) ids.of(`alice:${n}`);
    expect(ids.size).to.be.at.most(2_000);
    const { size } = ids;
    expect(ids.of('x'.repeat(201))).to.equal(sha256Hex('x'.repeat(201)));
    expect(ids.size).to.equal(size);
  });
});
