import { expect } from 'chai';
import { slotOf } from '../../../../lib/stores/valkey/cluster/slot-of.js';
import { companionKey } from '../../../../lib/stores/valkey/provenance/companion-key.js';
import { ValkeySessionStore } from '../../../../lib/valkey.js';
import { thrownBy } from '../../../support/eventually.js';

const HASH = '68755f41a98324d6';

describe('companion key', () => {
  it('is why:v1:{<key>}', () => {
    expect(companionKey(`taint:v1:${HASH}`)).to.equal(`why:v1:{taint:v1:${HASH}}`);
  });

  for (const prefix of ['taint:v1', '{app}:taint', 'a{app}b', 'a}{app}', '{', 'a{b', '{a}{b}', '{{a}', 'é{ü}']) {
    it(`has the slot of its key with the prefix ${prefix}`, () => {
      const store = new ValkeySessionStore({ endpoint: 'localhost', keyPrefix: prefix, provenance: true });
      expect(store.provenance).to.equal(true);
      const key = `${prefix}:${HASH}`;
      expect(slotOf(companionKey(key))).to.equal(slotOf(key));
      expect(companionKey(key)).to.match(/^why:v1:/);
    });
  }

  for (const keyPrefix of ['a}', '{}a', 'a}b{', '{}{a}']) {
    it(`a prefix that allows no companion key (${keyPrefix}) is refused`, () => {
      const error = thrownBy(() => new ValkeySessionStore({ endpoint: 'localhost', keyPrefix, provenance: true }));
      expect(error).to.have.property('code', 'config.invalid');
      expect(error).to.have.property('message').that.includes("'keyPrefix' has a '}'");
      expect(() => new ValkeySessionStore({ endpoint: 'localhost', keyPrefix })).to.not.throw();
    });
  }
});
