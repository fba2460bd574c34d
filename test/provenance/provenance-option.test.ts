import { hostname } from 'node:os';
import { expect } from 'chai';
import { MemorySessionStore, type ProvenanceOption } from '../../lib/index.js';
import { ValkeySessionStore } from '../../lib/valkey.js';
import { rejectionOf, thrownBy } from '../support/eventually.js';

const origins = new Map([['a', { atMs: 0 }]]);

async function nodeIn(provenance: ProvenanceOption): Promise<string | undefined> {
  const store = new MemorySessionStore({ provenance });
  await store.appendLabels('s', ['a'], origins);
  return (await store.explain('s')).labels[0]?.node;
}

describe('option provenance', () => {
  it('the node is the host and the process id, or what the option says', async () => {
    expect(await nodeIn(true)).to.equal(`${hostname()}:${process.pid}`);
    expect(await nodeIn({})).to.equal(`${hostname()}:${process.pid}`);
    expect(await nodeIn({ node: 'web 1' })).to.equal('web 1');
  });

  for (const [what, make] of [
    ['MemorySessionStore', (provenance: unknown) => new MemorySessionStore({ provenance } as never)],
    [
      'ValkeySessionStore',
      (provenance: unknown) => new ValkeySessionStore({ endpoint: 'localhost', provenance } as never),
    ],
  ] as const) {
    it(`${what} refuses invalid values, and says why`, () => {
      for (const [value, message] of [
        ['yes', /'provenance' must be a boolean; got a string: write true or false/],
        [{ nodes: 'a' }, /unknown option 'provenance.nodes'; did you mean 'provenance.node'\?/],
        [{ node: '' }, /'provenance.node' is an empty string/],
        [{ node: 'x'.repeat(201) }, /'provenance.node' must have at most 200 characters/],
        [{ node: 'a\nb' }, /'provenance.node'.*without control characters/],
      ] as const) {
        const error = thrownBy(() => make(value));
        expect(error).to.have.property('code', 'config.invalid');
        expect(error)
          .to.have.property('message')
          .that.matches(message)
          .and.matches(new RegExp(`^${what}`));
      }
    });

    it(`${what} says in its member whether it keeps origins`, () => {
      expect(make(true)).to.have.property('provenance', true);
      expect(make(false)).to.have.property('provenance', false);
    });

    it(`${what}: explain() without provenance rejects, and says what to set`, async () => {
      const error = await rejectionOf(make(false).explain('s'));
      expect(error).to.have.property('code', 'config.invalid');
      expect(error).to.have.property('message').that.includes('provenance: true');
    });
  }
});
