import { expect } from 'chai';
import { AplSessionError } from '../../lib/contract/errors.js';
import { toResolvedSession } from '../../lib/session/resolved-session.js';
import { thrownBy } from '../support/eventually.js';

describe('what a session resolver may return', () => {
  for (const { what, answer } of [
    { what: 'undefined', answer: undefined },
    { what: 'null', answer: null },
    { what: 'an empty string', answer: '' },
    { what: 'an empty id', answer: { id: '', source: 'x' } },
    { what: 'a reason', answer: { reason: 'no api key' } },
    { what: 'a reason without an id', answer: { id: undefined, reason: 'no api key' } },
  ]) {
    it(`G6: ${what} is no session`, () => {
      expect(toResolvedSession(answer)).to.equal(undefined);
    });
  }

  it('a string is the id, from a custom source', () => {
    expect(toResolvedSession('s1')).to.deep.equal({ id: 's1', source: 'custom' });
  });

  it('an object is copied, without other members', () => {
    expect(toResolvedSession({ id: 's1', source: 'jwt', secret: 1 })).to.deep.equal({ id: 's1', source: 'jwt' });
    expect(toResolvedSession({ id: 's1' })).to.deep.equal({ id: 's1', source: 'custom' });
  });

  it('ids beyond ASCII are accepted', () => {
    expect(toResolvedSession('séance-🔒')).to.deep.equal({ id: 'séance-🔒', source: 'custom' });
  });

  for (const { what, answer } of [
    { what: 'a number', answer: 5 },
    { what: 'true', answer: true },
    { what: 'false', answer: false },
    { what: 'an array', answer: ['s1'] },
    { what: 'an object without id', answer: { source: 'x' } },
    { what: 'an id that is no string', answer: { id: 5 } },
    { what: 'an id that is no string, with a reason', answer: { id: 5, reason: 'x' } },
    { what: 'a reason that is no string', answer: { reason: 5 } },
    { what: 'a source that is no string', answer: { id: 's1', source: 5 } },
    { what: 'a String object', answer: Object('s1') },
    { what: 'an id with a lone surrogate', answer: 's\ud800' },
    { what: 'an object whose id has a lone surrogate', answer: { id: '\udc00s', source: 'x' } },
  ]) {
    it(`${what} is session.invalid`, () => {
      expect(thrownBy(() => toResolvedSession(answer)))
        .to.be.instanceOf(AplSessionError)
        .with.property('code', 'session.invalid');
    });
  }
});
