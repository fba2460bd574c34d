import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { expect } from 'chai';
import { parse } from 'yaml';
import { compileDocument } from '../../lib/apl.js';
import { all, read } from '../support/documents.js';
import { thrownBy } from '../support/eventually.js';

const RULES = ["role.guest: deny('no guests', 'guest')", 'taint(secret)', { when: 'args.a > 1', do: ['deny'] }];

describe('schemas/apl.schema.json', () => {
  let validate: ValidateFunction;
  before(() => {
    validate = new Ajv2020({ strict: false }).compile(JSON.parse(read('schemas/apl.schema.json')));
  });
  const faultsOf = (document: unknown): string => (validate(document) ? '' : JSON.stringify(validate.errors));

  it('accepts the documents of docs/apl.md', () => {
    const documents = all(/^```yaml\n(.*?)^```$/gms, read('docs/apl.md'))
      .map(([, text = '']) => parse(text) as object)
      .filter((document) => 'routes' in document || 'global' in document);
    expect(documents).to.not.be.empty;
    for (const document of documents) expect(faultsOf(document)).to.equal('');
  });

  const valid: ReadonlyArray<readonly [what: string, document: object]> = [
    ['rules for all requests', { global: { authorization: { pre_invocation: RULES } } }],
    ['flat rules', { global: { pre_invocation: RULES, post_invocation: RULES } }],
    ['an apl: wrapper', { global: { apl: { pre_invocation: RULES, response: { status: 403 } } } }],
    ['defaults', { global: { defaults: { tool: { args: { amount: 'int | 1..10' } } } } }],
    [
      'groups',
      { groups: { hr: { pre_invocation: RULES } }, routes: [{ tool: 'x', meta: { tags: ['hr'], scope: 's' } }] },
    ],
    ['several names', { routes: [{ tool: ['a', 'b'], result: { ssn: 'redact' } }] }],
    [
      'sequential effects',
      { global: { pre_invocation: [{ when: 'role.a', do: { sequential: ['taint(x)', 'deny'] } }] } },
    ],
  ];
  for (const [what, document] of valid) {
    it(`accepts what compiles: ${what}`, () => {
      compileDocument(document);
      expect(faultsOf(document)).to.equal('');
    });
  }

  const invalid: ReadonlyArray<readonly [what: string, document: object]> = [
    ['an unknown key', { globals: {} }],
    ['an unknown key of a section', { global: { pre_invocaton: [] } }],
    ['an unknown key of a route', { routes: [{ tool: 'x', rules: [] }] }],
    ['an unknown key below authorization', { global: { authorization: { pre: [] } } }],
    ['a pattern for a name', { routes: [{ tool: 'hr-*' }] }],
    ['two types', { routes: [{ tool: 'x', prompt: 'y' }] }],
    ['no type', { routes: [{ pre_invocation: [] }] }],
    ['groups of a route', { routes: [{ tool: 'x', groups: 'hr' }] }],
    ['the group all', { groups: { all: {} } }],
    ['a status that is no denial', { global: { response: { status: 200 } } }],
    ['a number for a chain', { global: { args: { a: 5 } } }],
    ['when without do', { global: { pre_invocation: [{ when: 'a' }] } }],
    ['parallel', { global: { pre_invocation: [{ parallel: ['deny'] }] } }],
  ];
  for (const [what, document] of invalid) {
    it(`refuses what does not compile: ${what}`, () => {
      expect(thrownBy(() => compileDocument(document))).to.have.property('code', 'policy.invalid_document');
      expect(faultsOf(document)).to.not.equal('');
    });
  }
});
