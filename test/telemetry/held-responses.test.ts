import { expect } from 'chai';
import { HeldResponses } from '../../lib/telemetry/held-responses.js';

describe('HeldResponses', () => {
  it('counts responses and their bytes, whichever hold ends first', () => {
    const held = new HeldResponses();
    const all = [1, 20, 300].map((bytes) => ({ bytes }));
    const [first, middle, last] = all as [{ bytes: number }, { bytes: number }, { bytes: number }];
    for (const response of all) held.begin(response);
    expect([held.size, held.bytes]).to.deep.equal([3, 321]);
    held.end(middle);
    expect([held.size, held.bytes]).to.deep.equal([2, 301]);
    held.end(first);
    expect([held.size, held.bytes]).to.deep.equal([1, 300]);
    held.end(last);
    expect([held.size, held.bytes]).to.deep.equal([0, 0]);
  });

  it('a response whose hold it has not seen begin changes nothing', () => {
    const held = new HeldResponses();
    held.begin({ bytes: 1 });
    held.end({ bytes: 1 });
    expect([held.size, held.bytes]).to.deep.equal([1, 1]);
  });
});
