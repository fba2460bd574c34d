import { expect } from 'chai';
import { AplSessionError } from '../../lib/contract/errors.js';
import { assertLabel, isLabel, MAX_LABEL_BYTES } from '../../lib/labels/label.js';
import { thrownBy } from '../support/eventually.js';

describe('label validation', () => {
  for (const { what, label } of [
    { what: 'a word', label: 'PII' },
    { what: 'one character', label: 'x' },
    { what: 'spaces and punctuation', label: ' a:b/c*d"e\'f ' },
    { what: 'characters beyond ASCII', label: 'séance-✓' },
    { what: 'an astral character', label: '🔒' },
    { what: 'exactly 256 bytes', label: 'x'.repeat(256) },
    { what: 'exactly 256 bytes in 128 characters', label: 'é'.repeat(128) },
    { what: 'the name of an object member', label: '__proto__' },
  ]) {
    it(`accepts ${what}`, () => {
      expect(() => assertLabel(label)).not.to.throw();
      expect(isLabel(label)).to.equal(true);
    });
  }

  for (const { what, value } of [
    { what: 'undefined', value: undefined },
    { what: 'null', value: null },
    { what: 'a number', value: 5 },
    { what: 'an object', value: { toString: () => 'PII' } },
    { what: 'a String object', value: Object('PII') },
    { what: 'an array', value: ['PII'] },
    { what: 'a symbol', value: Symbol('PII') },
    { what: 'an empty string', value: '' },
    { what: '257 bytes in 87 characters', value: `${'\u3042'.repeat(85)}ab` },
    { what: '257 bytes', value: 'x'.repeat(257) },
    { what: '258 bytes in 129 characters', value: 'é'.repeat(129) },
    { what: 'a NUL', value: 'a\0b' },
    { what: 'a line feed', value: 'a\nb' },
    { what: 'a carriage return', value: 'a\rb' },
    { what: 'the last C0 control', value: 'a\u001fb' },
    { what: 'DEL', value: 'a\u007fb' },
    { what: 'a C1 control', value: 'a\u0085b' },
    { what: 'U+FFFD', value: 'a\ufffdb' },
    { what: 'a lone high surrogate', value: 'a\ud800' },
    { what: 'a lone low surrogate', value: '\udc00a' },
  ]) {
    it(`refuses ${what} with label.invalid`, () => {
      expect(thrownBy(() => assertLabel(value)))
        .to.be.instanceOf(AplSessionError)
        .with.property('code', 'label.invalid');
      expect(isLabel(value)).to.equal(false);
    });
  }

  it('the message names the limit and does not repeat the value', () => {
    const error = thrownBy(() => assertLabel(`salary\n${'x'.repeat(300)}`)) as AplSessionError;
    expect(error.message).to.include(String(MAX_LABEL_BYTES)).and.not.include('salary');
    expect(JSON.stringify(error)).to.not.include('salary');
  });
});
