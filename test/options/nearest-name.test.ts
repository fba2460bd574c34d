import { expect } from 'chai';
import { nearestName } from '../../lib/options/nearest-name.js';

const NAMES = [
  'session',
  'sessionless',
  'store',
  'storeFactories',
  'storeTimeoutMs',
  'ttlSeconds',
  'ca',
  'cert',
  'key',
];

describe('nearestName()', () => {
  for (const [given, nearest] of [
    ['sesion', 'session'],
    ['sotre', 'store'],
    ['stores', 'store'],
    ['SessionLess', 'sessionless'],
    ['ttl_seconds', 'ttlSeconds'],
    ['ttl-seconds', 'ttlSeconds'],
    ['ttl', 'ttlSeconds'],
    ['storefactory', 'storeFactories'],
    ['timeoutMs', 'storeTimeoutMs'],
    ['caa', 'ca'],
    ['certs', 'cert'],
    ['privateKey', 'key'],
    ['colour', undefined],
    ['id', undefined],
    ['', undefined],
    [`session${'n'.repeat(1000)}`, undefined],
  ] as const) {
    it(`'${given.slice(0, 20)}' is like ${nearest === undefined ? 'no name' : `'${nearest}'`}`, () => {
      expect(nearestName(given, NAMES)).to.equal(nearest);
    });
  }

  it('a name like two others is the nearer one', () => {
    expect(nearestName('sessionles', NAMES)).to.equal('sessionless');
    expect(nearestName('storeTimoutMs', NAMES)).to.equal('storeTimeoutMs');
  });
});
