import { expect } from 'chai';
import { compileChain, compileDocument, compileSection } from '../../lib/apl.js';
import { faultOf, placedFaultOf } from './policy-faults.js';

const section = (...rules: readonly string[]) => `pre_invocation:\n${rules.map((rule) => `  - ${rule}\n`).join('')}`;
const strict = (text: string) => () => compileSection(text, { strict: true });

/** What CPEX accepts without an effect: a section, and the place, the text and the fix of its error. */
const SILENT: ReadonlyArray<readonly [what: string, text: string, at: string, offending: string, fix: string]> = [
  ['a misspelt key of a section', 'pre_invocaton: [deny]', '1:1', 'pre_invocaton', 'Did you mean pre_invocation?'],
  ['quotes in a label', section(`taint("secret")`), '2:5', 'taint("secret")', 'Write taint(secret) without quotes.'],
  [
    'a label that no store accepts',
    section(`"taint(a\\tb)"`),
    '2:5',
    'taint(a\tb)',
    'Labels have at most 256 bytes, and no control characters.',
  ],
  [
    'a chain in a rule line',
    section('args.x | redact'),
    '2:5',
    'args.x | redact',
    'Put the chain under args: or result:, or into do: of a rule with when:.',
  ],
  [
    'an attribute that is never set',
    section(`"session.labels contains 'x': deny"`),
    '2:6',
    `session.labels contains 'x'`,
    'Write security.labels.',
  ],
  [
    'a misspelt attribute in a nested predicate',
    section(`"role.a & (role.b | !securty.labels contains 'x'): deny"`),
    '2:26',
    `role.a & (role.b | !securty.labels contains 'x')`,
    'Did you mean security.labels? Declare an attribute of your own in the option attributes, and set it.',
  ],
  [
    'an unknown attribute in a group of a key',
    section(`"args.by[nme].x: deny"`),
    '2:6',
    'args.by[nme].x',
    'Declare an attribute of your own in the option attributes, and set it.',
  ],
  [
    'an unknown attribute in redact()',
    `result: { ssn: 'redact(subject.tenant)' }`,
    '1:24',
    'subject.tenant',
    'Write claim.tenant.',
  ],
  [
    '!= on an attribute that may be absent',
    section(`"claim.org != 'acme': deny"`),
    '2:6',
    `claim.org != 'acme'`,
    `Write exists(claim.org) & … or !exists(claim.org) | … before it, or set the option absent: 'deny'.`,
  ],
  [
    'not in on an attribute that may be absent',
    section('{ when: args.to not in subject.teams, do: deny }'),
    '2:13',
    'args.to not in subject.teams',
    `Write exists(args.to) & … or !exists(args.to) | … before it, or set the option absent: 'deny'.`,
  ],
  ['an unknown plugin', section('plugin(audit)'), '2:5', 'plugin(audit)', 'Pass a function: plugins: { "audit": … }.'],
  [
    'an unknown plugin in a chain',
    `args: { x: 'str | run(audit)' }`,
    '1:19',
    'run(audit)',
    'Pass a function: plugins: { "audit": … }.',
  ],
  [
    'an unknown decision point',
    section('cel: { expr: x }'),
    '2:5',
    'cel',
    'Pass a function: decisionPoints: { "cel": … }.',
  ],
  [
    'a chain on a field of the other phase',
    section(`{ when: role.a, do: 'result.x | redact' }`),
    '2:26',
    'result.x | redact',
    'Put it under post_invocation.',
  ],
  ['an empty code', section(`"deny('no', '')"`), '2:6', `deny('no', '')`, 'Write text, or leave it out.'],
  [
    'response: in a section',
    'response: { status: 403 }',
    '1:1',
    'response',
    'The keys here are apl, authorization, pre_invocation, post_invocation, args, result.',
  ],
  ['a key beside apl:', 'apl: { args: {} }\nargs: {}', '2:1', 'args', 'The keys here are apl.'],
];

describe('strict APL refuses what CPEX ignores', () => {
  for (const [what, text, at, offending, fix] of SILENT) {
    it(what, () => {
      expect(placedFaultOf(strict(text))).to.deep.equal({ at, offending, fix });
    });
  }

  it('rules that are right', () => {
    const text = section(
      `"security.labels contains 'secret' & http.method != 'GET': deny"`,
      `"exists(claim.org) & claim.org != 'acme': deny"`,
      `"!exists(claim.org) | claim.org != 'acme': deny"`,
      `"!(exists(args.to) & args.to in subject.teams) | args.to not in subject.teams: deny"`,
      `"args.amount > 5 & args.amount != 7: deny"`,
      'taint(secret)',
      `{ when: role.a, do: ['args.x | redact', taint(b)] }`,
    );
    expect(compileSection(text, { strict: true }).isEmpty).to.equal(false);
  });

  it('but a presence that only one side of | tests is no presence', () => {
    const text = section(`"(exists(claim.a) | exists(claim.b)) & claim.a != 'x': deny"`);
    expect(faultOf(strict(text)).fix).to.include('exists(claim.a)');
  });

  it('declared attributes are known, exactly and below a prefix', () => {
    const compile = (rule: string) =>
      compileSection(section(rule), { strict: true, attributes: ['plan', 'data.*', 'agent.turn'] });
    compile(`"plan == 'free' & data.a[plan].b & agent.turn > 1: deny"`);
    expect(faultOf(() => compile('"plan.x: deny"')).message).to.include('Unknown attribute plan.x');
    expect(faultOf(() => compile('"data: deny"')).message).to.include('Unknown attribute data');
    compileSection(section('"whatever: deny"'), { strict: true, attributes: 'any' });
  });

  it("with absent: 'deny' a rule denies if != or not in meets an absent attribute", () => {
    const rules = [`claim.org != 'acme': deny('other', 'org')`, 'args.to not in subject.teams: allow'];
    const { evaluate } = compileSection({ pre_invocation: rules }, { strict: true, absent: 'deny' });
    const all = { 'claim.org': 'acme', 'args.to': 'hr', 'subject.teams': ['hr'] };
    expect(evaluate(all)).to.include({ decision: 'allow' });
    expect(evaluate({ ...all, 'claim.org': 'b' })).to.include({ code: 'org', reason: 'other' });
    const { 'claim.org': _, ...withoutOrg } = all;
    expect(evaluate(withoutOrg)).to.include({ code: 'global.apl.pre_invocation[0]', reason: 'access denied' });
    expect(evaluate({ ...all, 'args.to': undefined })).to.include({ code: 'global.apl.pre_invocation[1]' });
    expect(evaluate({ ...all, 'subject.teams': undefined })).to.include({ code: 'global.apl.pre_invocation[1]' });
  });

  it("with absent: 'deny' redact() denies if its predicate meets an absent attribute", () => {
    const options = { strict: true, absent: 'deny' } as const;
    const chain = `redact(claim.org != 'acme')`;
    const { apply } = compileChain(chain, options);
    expect(apply('x')).to.include({ outcome: 'deny', reason: 'access denied', stage: 0 });
    expect(apply('x', { 'claim.org': 'b' })).to.include({ outcome: 'replace' });
    expect(apply('x', { 'claim.org': 'acme' })).to.include({ outcome: 'pass' });
    const { evaluate } = compileSection(
      { result: { a: chain }, post_invocation: [{ when: 'result.b == "x"', do: `result.b | ${chain}` }] },
      options,
    );
    expect(evaluate({ 'result.a': 'x' })).to.include({ decision: 'deny', code: 'global.apl.result.a' });
    expect(evaluate({ 'result.b': 'x' })).to.include({ decision: 'deny', code: 'global.apl.post_invocation[0]' });
  });
});

/** Rules that CPEX accepts, and that decide the same for every request: the rule, and the fix of its error. */
const POINTLESS: ReadonlyArray<readonly [rule: string, fix: string]> = [
  ['security.labels: deny', 'Write security.labels contains "…", or exists(security.labels).'],
  ['security.labels == "secret": deny', 'Write security.labels contains "…".'],
  ['security.labels contains 5: deny', 'Write the text in quotes.'],
  ['args.tags contains 5: deny', 'Write the text in quotes.'],
  ['security.labels in claim.org: deny', 'Write value in set: two keys'],
  ['subject.id in claim.org: deny', 'Write value in set: two keys'],
  ['security.labels > 1: deny', 'Write another condition.'],
  ['claim.admin: deny', 'Compare it, or write exists(claim.admin).'],
  ['require(subject.id)', 'Compare it, or write exists(subject.id).'],
  ['claim.level == 3: deny', 'Put the right side into quotes.'],
  ['subject.id contains "a": deny', 'Write subject.id == "…".'],
  ['subject.id > "alice": deny', 'Write a number on the right side.'],
  ['args.n > true: deny', 'Write a number on the right side.'],
  ['role.hr == false: deny', 'Write role.hr or !role.hr.'],
  ['role.hr == "true": deny', 'Write role.hr or !role.hr.'],
  ['http.method == "post": deny', 'Write "POST".'],
  ['exists(http.request_headers.Origin): deny', 'Write http.request_headers.origin.'],
  ['result.ok: deny', 'Put the rule under post_invocation.'],
  ['exists(http.response_headers.etag): deny', 'Put the rule under post_invocation.'],
];

describe('strict APL refuses conditions that never change', () => {
  for (const [rule, fix] of POINTLESS) {
    it(rule, () => {
      expect(faultOf(() => compileSection({ pre_invocation: [rule] }, { strict: true })).fix).to.include(fix);
      compileSection({ pre_invocation: [rule] });
    });
  }

  it('but not conditions on attributes that the app declares, and on those of the response in their phase', () => {
    const options = { strict: true, attributes: ['claim.admin'] };
    compileSection({ pre_invocation: ['claim.admin: deny'] }, options);
    compileSection({ post_invocation: ['result.ok & exists(http.response_headers.etag): deny'] }, options);
    compileSection({ pre_invocation: ['claim.level > 3 & role.hr == true & args.ok: deny'] }, options);
  });

  for (const path of ['users[].ssn', '*', 'a..b', ' ssn', 'user. ssn', '']) {
    it(`a chain for ${JSON.stringify(path)}, which finds no field`, () => {
      const { message } = faultOf(() => compileSection({ result: { [path]: 'redact' } }, { strict: true }));
      expect(message).to.include('Write names and dots: user.email. A chain does not look into lists.');
    });
  }

  it('a chain of args whose redact() reads the result', () => {
    const text = 'args: { a: "redact(result.ok)" }';
    expect(faultOf(strict(text)).fix).to.equal('Put the rule under post_invocation.');
  });

  it('a misspelt reaction of a decision point', () => {
    const decisionPoints = { cel: () => ({ allow: true as const }) };
    for (const name of ['on_alow', 'onDeny', 'on-allow']) {
      const step = { cel: { expr: 'true', [name]: ['deny'] } };
      const compile = () => compileSection({ pre_invocation: [step] }, { strict: true, decisionPoints });
      expect(faultOf(compile).fix).to.equal('Write on_allow or on_deny.');
    }
  });
});

/** Faults of whole documents. */
const DOCUMENTS: ReadonlyArray<readonly [what: string, text: string, at: string, offending: string, fix: string]> = [
  ['a misspelt key of the document', 'golbal: {}', '1:1', 'golbal', 'Did you mean global?'],
  ['a misspelt key of global', 'global: { responce: {} }', '1:11', 'responce', 'Did you mean response?'],
  ['a misspelt key of a route', 'routes:\n  - tool: a\n    reslt: {}', '3:5', 'reslt', 'Did you mean result?'],
  ['a misspelt key of meta', 'routes: [{ tool: a, meta: { tag: [] } }]', '1:29', 'tag', 'Did you mean tags?'],
  ['a misspelt key of a response', 'global: { response: { stats: 403 } }', '1:23', 'stats', 'Did you mean status?'],
  [
    'a misspelt key of plugin_settings',
    'plugin_settings: { routing_enable: true }',
    '1:20',
    'routing_enable',
    'Did you mean routing_enabled?',
  ],
  [
    'an unknown type of defaults',
    'global: { defaults: { tools: {} } }',
    '1:23',
    'tools',
    'The types are tool, resource, prompt, llm.',
  ],
  [
    'a route with a pattern',
    'routes:\n  - tool: "hr-*"\n    pre_invocation: [deny]',
    '2:12',
    'hr-*',
    'Write the names, or write rules for all routes into global: or global.defaults.',
  ],
  [
    'a pattern in a list of names',
    'routes: [{ tool: [a, "*"] }]',
    '1:23',
    '*',
    'Write the names, or write rules for all routes into global: or global.defaults.',
  ],
  [
    'a group that does not exist',
    'groups: { hr: {} }\nroutes: [{ tool: a, meta: { tags: [hrr] } }]',
    '2:36',
    'hrr',
    'Did you mean hr?',
  ],
  ['groups: on a route', 'routes: [{ tool: a, groups: hr }]', '1:21', 'groups', 'Write meta: { tags: [name] }.'],
  ['when: on a route', 'routes: [{ tool: a, when: role.a }]', '1:21', 'when', 'Write the condition into its rules.'],
  ['the group all', 'groups: { all: {} }', '1:11', 'all', 'Move them to global:.'],
  ['a group in two places', 'global: { policies: { hr: {} } }\ngroups: { hr: {} }', '1:23', 'hr', 'Keep one of them.'],
  [
    'a response of a group',
    'groups: { hr: { response: {} } }',
    '1:17',
    'response',
    'Write it in global: or in a route.',
  ],
  ['two types on one route', 'routes: [{ tool: a, llm: b }]', '1:10', '', 'Write - tool: name.'],
  ['a second route of the same name', 'routes: [{ tool: a }, { tool: [b, a] }]', '1:35', 'a', 'Merge the two routes.'],
  [
    'a name with @ that gives the key of a scope',
    'routes: [{ tool: "a@b" }, { tool: a, meta: { scope: b } }]',
    '1:35',
    'a',
    'Merge the two routes.',
  ],
  ['a status that is no denial', 'global: { response: { status: 200 } }', '1:23', 'status', 'Write status: 403.'],
  [
    'a header that HTTP does not allow',
    'global: { response: { headers: { "a b": c } } }',
    '1:35',
    'a b',
    'Use the characters that HTTP allows.',
  ],
  [
    'routes that CPEX would not read',
    'plugin_settings: { routing_enabled: false }',
    '1:20',
    'routing_enabled',
    'Write routing_enabled: true.',
  ],
  [
    'other sections below apl:',
    'global: { apl: { defaults: {} } }',
    '1:18',
    'defaults',
    'The keys here are authorization, pre_invocation, post_invocation, args, result, response, session_store.',
  ],
  [
    'apl: null, which would hide the rules beside it',
    'global: { apl: null }',
    '1:11',
    'apl',
    'Write the rules below it, or remove it.',
  ],
  [
    'identity:',
    'global: { identity: {} }',
    '1:11',
    'identity',
    'Authenticate with middleware of Express before this guard.',
  ],
  [
    'plugins: of the gateway',
    'plugins: [{ name: audit }]',
    '1:1',
    'plugins',
    'Call plugins from rules with plugin(name), and pass the functions in the option plugins.',
  ],
];

describe('compileDocument refuses', () => {
  for (const [what, text, at, offending, fix] of DOCUMENTS) {
    it(what, () => {
      expect(placedFaultOf(() => compileDocument(text))).to.deep.equal({ at, offending, fix });
    });
  }

  it('unknown attributes in every layer', () => {
    const rules = { pre_invocation: ['sesion.labels: deny'] };
    const documents = [
      { global: rules },
      { groups: { a: rules } },
      { global: { defaults: { tool: rules } } },
      { routes: [{ tool: 'a', ...rules }] },
    ];
    for (const document of documents)
      expect(faultOf(() => compileDocument(document)).path).to.match(/pre_invocation\[0\]$/);
  });

  it('keys of a gateway, unless ignoreKeys names them', () => {
    const document = { plugins: [], global: { pdp: [], authentication: [] }, plugin_dirs: [] };
    expect(faultOf(() => compileDocument(document, { ignoreKeys: ['plugins', 'pdp'] })).offending).to.equal(
      'plugin_dirs',
    );
    compileDocument(document, { ignoreKeys: ['plugins', 'pdp', 'authentication', 'plugin_dirs'] });
  });
});
