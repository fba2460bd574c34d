import { expect } from 'chai';
import { decodeRecord, encodeRecord, recordsOf, toRecord } from '../../lib/provenance/label-record.js';

const AT_MS = Date.UTC(2026, 0, 31);

describe('record of a label', () => {
  it('is the same after it was written and read', () => {
    const record = { atMs: AT_MS, route: 'GET /a', by: 'taint', node: 'web-1:5', requestId: 'r' };
    expect(decodeRecord(encodeRecord(record))).to.deep.equal(record);
  });

  it('has only the known members, with texts that a terminal can show', () => {
    const record = toRecord({ atMs: AT_MS, route: 'a\u001b[31m\nb\u202e', by: '', node: 5, secret: 'x' });
    expect(record).to.deep.equal({ atMs: AT_MS, route: 'a [31m b ' });
  });

  it('is bounded: a text has at most 200 characters, and is well-formed', () => {
    const { route } = toRecord({ atMs: AT_MS, route: `${'x'.repeat(199)}🔒${'y'.repeat(100)}` }) ?? expect.fail();
    expect(route).to.equal(`${'x'.repeat(199)}\ufffd`);
  });

  for (const [what, value] of [
    ['nothing', undefined],
    ['a text', 'x'],
    ['no time', { route: 'GET /a' }],
    ['a time that is text', { atMs: '5' }],
    ['NaN', { atMs: Number.NaN }],
    ['a time beyond all dates', { atMs: 9e15 }],
  ] as const) {
    it(`a value with ${what} has no record`, () => {
      expect(toRecord(value)).to.equal(undefined);
    });
  }

  it('a text of other software is not a record', () => {
    for (const text of ['', 'x', '5', 'null', '[]', '{"atMs":', '{"atMs":null}']) {
      expect(decodeRecord(text), text).to.equal(undefined);
    }
  });

  it('only labels of the append get one, each a copy', () => {
    const origin = { atMs: AT_MS, by: 'taint' };
    const records = recordsOf(
      ['a', 'b'],
      new Map([
        ['a', origin],
        ['c', origin],
      ]),
      'web-1',
    );
    origin.by = 'changed';
    expect([...records]).to.deep.equal([['a', { atMs: AT_MS, by: 'taint', node: 'web-1' }]]);
  });
});
