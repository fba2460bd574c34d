import { expect } from 'chai';
import { h16, sha256Hex } from '../../lib/session/digest.js';
import { PARITY_VECTORS } from '../support/parity-vectors.js';

describe('digests shared with CPEX', () => {
  for (const { name, hashed, id, key } of PARITY_VECTORS) {
    it(`h16 and the key of the vector "${name}"`, () => {
      expect(h16(hashed)).to.equal(id);
      expect(`taint:v1:${sha256Hex(id)}`).to.equal(key);
    });
  }

  it('sha256 of a raw id', () => {
    expect(sha256Hex('sess-ttl')).to.equal('32c8896e25eb7cb65fed3c2e719c150247f679fdf59fadb3f7af94e69d36abd1');
  });

  it('sha256 of the empty string (FIPS 180)', () => {
    expect(sha256Hex('')).to.equal('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });
});
