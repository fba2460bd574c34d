import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { load } from 'js-yaml';
import { AplSessionError } from '../../lib/contract/errors.js';
import { type IgnoredKey, sessionStoreBlock } from '../../lib/index.js';
import { parseValkeyConfig } from '../../lib/stores/valkey/config/valkey-config.js';
import { ValkeySessionStore, valkeySessionStoreFactory } from '../../lib/valkey.js';
import { thrownBy } from '../support/eventually.js';
import { runModule } from '../support/node-child.js';

type Forms = Readonly<Record<'wrapped' | 'flat' | 'misplaced', unknown>>;
const forms = load(readFileSync(new URL('./cpex-configuration.yaml', import.meta.url), 'utf8')) as Forms;

function read(document: unknown): { block: unknown; warnings: IgnoredKey[] } {
  const warnings: IgnoredKey[] = [];
  return { block: sessionStoreBlock(document, { onWarning: (warning) => warnings.push(warning) }), warnings };
}

/** The tests of CPEX's visitor.rs and end_to_end_route.rs that are about this, by their names there. */
describe('sessionStoreBlock', () => {
  it('explicit_wrapper_wins_over_flat_keys, apl_wrapper_is_returned_as_is', () => {
    expect(read(forms.wrapped).block).to.deep.equal({
      kind: 'valkey',
      endpoint: 'valkey.internal:6380',
      tls: true,
      username: 'labels',
      password: 'p@ss:/w%rd?#',
      keyPrefix: 'taint:v1',
      ttlSeconds: 86_400,
      maxSessionLifetimeSeconds: 43_200,
      connectTimeoutMs: 100,
      commandTimeoutMs: 200,
    });
  });

  it('flat_session_store_without_wrapper_is_collected', () => {
    const { block, warnings } = read(forms.flat);
    expect(block).to.deep.equal({ kind: 'valkey', endpoint: 'rediss://valkey.internal', ttlSeconds: 60 });
    expect(warnings).to.deep.equal([]);
  });

  it('every key that it returns is accepted by the store', async () => {
    for (const form of [forms.wrapped, forms.flat]) {
      const { kind: _kind, ...options } = sessionStoreBlock(form, { onWarning: () => {} });
      expect(parseValkeyConfig(options)).to.deep.include({ keyPrefix: 'taint:v1' });
      const store = valkeySessionStoreFactory.build({ kind: 'valkey', ...options });
      expect(store).to.be.instanceOf(ValkeySessionStore);
      await store.close?.();
    }
  });

  for (const { what, document } of [
    { what: 'section_without_apl_terms_is_none', document: { global: { policy: [] }, routes: [] } },
    { what: 'null_apl_wrapper_is_none', document: { global: { apl: null } } },
    { what: 'no global', document: {} },
    { what: 'a global that is null', document: { global: null } },
    { what: 'an apl without a session_store', document: { global: { apl: { policy: [] } } } },
  ]) {
    it(`${what}: the memory store, and no warning`, () => {
      expect(read(document)).to.deep.equal({ block: { kind: 'memory' }, warnings: [] });
    });
  }

  it('a null wrapper hides a flat block, with a warning', () => {
    const { block, warnings } = read({ global: { apl: null, session_store: { kind: 'valkey' } } });
    expect(block).to.deep.equal({ kind: 'memory' });
    expect(warnings.map(({ scope, key }) => ({ scope, key }))).to.deep.equal([
      { scope: 'global', key: 'session_store' },
    ]);
  });

  it('warn_if_global_only_key_at_nonglobal_scope_is_a_safe_noop: with warnings', () => {
    const { block, warnings } = read(forms.misplaced);
    expect(block).to.deep.equal({ kind: 'memory' });
    expect(warnings.map(({ scope, key }) => ({ scope, key }))).to.deep.equal([
      { scope: 'global.defaults.tool.apl', key: 'session_store' },
      { scope: 'global.policies.pii.apl', key: 'session_store' },
      { scope: 'routes.tool', key: 'session_store' },
      { scope: 'routes.resource', key: 'session_store' },
    ]);
    for (const warning of warnings) expect(warning).to.be.frozen;
  });

  it('session_store elsewhere in the document: ignored, a warning for each', () => {
    const session_store = { kind: 'valkey' };
    const groups = { hr: { session_store }, it: { apl: { session_store } }, all: { authorization: {} }, session_store };
    const { block, warnings } = read({ groups, session_store });
    expect(block).to.deep.equal({ kind: 'memory' });
    expect(warnings.map(({ scope }) => scope)).to.deep.equal(['the top level', 'groups', 'groups.hr', 'groups.it']);
  });

  for (const { what, block } of [
    { what: 'a key __proto__', block: '{ "kind": "valkey", "__proto__": { "tls": false } }' },
    { what: 'a key constructor', block: '{ "kind": "valkey", "constructor": { "prototype": {} } }' },
    { what: 'a nested key __proto__', block: '{ "kind": "valkey", "tls": { "__proto__": {} } }' },
    { what: 'a nested key constructor', block: '{ "kind": "valkey", "circuit_breaker": { "constructor": 1 } }' },
  ]) {
    it(`${what} in the block is config.invalid, and named`, () => {
      for (const global of [{ session_store: JSON.parse(block) }, { apl: { session_store: JSON.parse(block) } }]) {
        expect(thrownBy(() => sessionStoreBlock({ global })))
          .to.be.instanceOf(AplSessionError)
          .with.property('message')
          .that.matches(/session_store.* has a key '(__proto__|constructor)'/);
      }
    });
  }

  it('keys of a polluted prototype, also of nested mappings: config.invalid', () => {
    const polluted = Object.setPrototypeOf({}, { kind: 'valkey', endpoint: 'localhost' });
    for (const session_store of [polluted, { kind: 'valkey', tls: polluted }]) {
      expect(thrownBy(() => sessionStoreBlock({ global: { session_store } })))
        .to.have.property('message')
        .that.matches(/has keys in its prototype/);
    }
  });

  it('without onWarning, the warnings are process warnings', async function () {
    this.timeout(20_000);
    const { stderr } = await runModule(`
      import { sessionStoreBlock } from './lib/index.ts';
      sessionStoreBlock({ routes: [{ llm: 'x', session_store: {} }] });`);
    expect(stderr).to.include('[APL_CONFIG_KEY_IGNORED]').and.include('routes.llm');
  });

  for (const { what, document, code } of [
    { what: 'no document', document: undefined, code: 'config.invalid' },
    { what: 'an empty document', document: null, code: 'config.invalid' },
    { what: 'a text that was not parsed', document: 'global: {}', code: 'config.invalid' },
    { what: 'a list', document: [], code: 'config.invalid' },
    { what: 'a global that is a list', document: { global: [] }, code: 'config.invalid' },
    { what: 'an apl that is a text', document: { global: { apl: 'x' } }, code: 'config.invalid' },
    { what: 'a block that is no mapping', document: { global: { session_store: 'valkey' } }, code: 'config.invalid' },
    { what: 'a block that is null', document: { global: { apl: { session_store: null } } }, code: 'config.invalid' },
    { what: 'a block that is a list', document: { global: { session_store: [] } }, code: 'config.invalid' },
    { what: 'no kind', document: { global: { session_store: {} } }, code: 'config.store_kind_missing' },
    {
      what: 'a kind that is no text',
      document: { global: { session_store: { kind: 1 } } },
      code: 'config.store_kind_missing',
    },
    {
      what: 'a key in both spellings',
      document: { global: { session_store: { kind: 'valkey', ttl_seconds: 1, ttlSeconds: 2 } } },
      code: 'config.invalid',
    },
  ]) {
    it(`${what}: ${code}`, () => {
      const error = thrownBy(() => sessionStoreBlock(document));
      expect(error).to.be.instanceOf(AplSessionError).with.property('code', code);
    });
  }

  it('keys of nested mappings are mapped, values and document stay', () => {
    const session_store = { kind: 'own', circuit_breaker: { open_ms: 5 }, list_of: [{ a_b: 1 }] };
    const document = { global: { session_store } };
    const copy = structuredClone(document);
    const { block } = read(document);
    expect(block).to.deep.equal({ kind: 'own', circuitBreaker: { openMs: 5 }, listOf: [{ a_b: 1 }] });
    expect(block).to.be.frozen;
    expect(document).to.deep.equal(copy);
  });
});
