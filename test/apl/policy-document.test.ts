import { expect } from 'chai';
import { type Attributes, compileDocument, compilePredicate, type PolicyDocument } from '../../lib/apl.js';

/** The rules of each layer deny for an attribute of their own. */
const DOCUMENT = `
version: 1
plugin_settings: { routing_enabled: true, plugin_timeout: 30 }
global:
  session_store: { kind: memory }
  authorization: { pre_invocation: ["role.global: deny"] }
  args: { to: "str | taint(global)", note: "str" }
  response: { status: 302, headers: { Location: /login }, body: "go away" }
  defaults:
    tool: { pre_invocation: ["role.default: deny"] }
    llm: { apl: { post_invocation: ["role.llm: deny"] } }
  policies:
    old: { pre_invocation: ["role.old: deny"] }
groups:
  hr:
    description: people
    metadata: { owner: hr }
    pre_invocation: [taint(hr), "role.hr: deny('hr only', 'hr.denied')"]
    args: { to: "taint(group)" }
routes:
  - tool: pay
    meta: { tags: [hr, old], properties: { a: b } }
    pre_invocation: ["role.own: deny"]
    args: { to: "enum(alice, bob)" }
    post_invocation: ["result.n > 3: deny"]
    response: { status: 403 }
  - tool: [mail, call]
    apl: { pre_invocation: ["role.own: deny"], response: { status: 418 } }
  - tool: pay
    meta: { scope: eu }
    pre_invocation: ["role.eu: deny"]
  - resource: file
`;

describe('a policy document', () => {
  const policies = compileDocument(DOCUMENT);

  it('has a section for each name of its routes', () => {
    expect([...policies.routes.keys()]).to.deep.equal([
      'tool:pay',
      'tool:mail',
      'tool:call',
      'tool:pay@eu',
      'resource:file',
    ]);
    expect(policies.sectionFor('tool', 'pay')).to.equal(policies.routes.get('tool:pay'));
  });

  const codes: ReadonlyArray<readonly [role: string, code: string]> = [
    ['global', 'global.apl.pre_invocation[0]'],
    ['default', 'global.defaults.tool.apl.pre_invocation[0]'],
    ['hr', 'hr.denied'],
    ['old', 'global.policies.old.apl.pre_invocation[0]'],
    ['own', 'routes.tool:pay.apl.pre_invocation[0]'],
  ];
  it('appends the rules of its layers, the least specific first', () => {
    for (const [at, [role, code]] of codes.entries()) {
      const roles = Object.fromEntries(codes.slice(at).map(([name]) => [`role.${name}`, true]));
      expect(policies.sectionFor('tool', 'pay').evaluate(roles), role).to.include({ decision: 'deny', code });
    }
  });

  it('counts the taints of a group before its denial', () => {
    const { taints } = policies.sectionFor('tool', 'pay').evaluate({ 'role.hr': true });
    expect(taints).to.deep.equal([['hr', ['session']]]);
  });

  it('the chain of a more specific layer replaces the chain of a field', () => {
    const { evaluate } = policies.sectionFor('tool', 'pay');
    expect(evaluate({}, { args: { to: 'bob', note: 'n' } })).to.deep.equal({
      decision: 'allow',
      taints: [['hr', ['session']]],
    });
    expect(evaluate({}, { args: { to: 'eve' } })).to.include({ code: 'routes.tool:pay.apl.args.to' });
    expect(evaluate({}, { args: { to: 'bob', note: 1 } })).to.include({ code: 'global.apl.args.note' });
  });

  it('takes the route of the scope, else the one without', () => {
    const keyOf = (...route: Parameters<PolicyDocument['sectionFor']>) => policies.sectionFor(...route).key;
    expect(keyOf('tool', 'pay', 'eu')).to.equal('tool:pay@eu');
    expect(keyOf('tool', 'pay', 'us')).to.equal('tool:pay');
    expect(policies.sectionFor('tool', 'pay', 'eu').evaluate({ 'role.eu': true })).to.include({
      code: 'routes.tool:pay@eu.apl.pre_invocation[0]',
    });
  });

  it('decides a route that it does not name by global and the defaults', () => {
    const decide = (type: 'tool' | 'llm', attributes: Attributes) =>
      policies.sectionFor(type, '__proto__').evaluate(attributes);
    expect(decide('tool', { 'role.default': true })).to.include({ decision: 'deny' });
    expect(decide('tool', { 'role.global': true })).to.include({ decision: 'deny' });
    expect(decide('tool', { 'role.own': true, 'role.llm': true })).to.include({ decision: 'allow' });
    expect(decide('llm', { 'role.llm': true })).to.include({ code: 'global.defaults.llm.apl.post_invocation[0]' });
    expect(policies.sectionFor('tool', 'other').key).to.equal('tool:other');
  });

  it('gives plain HTTP requests the rules of global alone', () => {
    expect(policies.global.evaluate({ 'role.global': true })).to.include({ code: 'global.apl.pre_invocation[0]' });
    expect(policies.global.evaluate({ 'role.default': true, 'role.own': true })).to.include({ decision: 'allow' });
    expect(policies.global.key).to.equal('global.apl');
  });

  it('does not pass a response on to other layers', () => {
    const response = (name: string) => policies.sectionFor('tool', name).response;
    expect(policies.global.response).to.deep.equal({ status: 302, headers: { Location: '/login' }, body: 'go away' });
    expect(response('pay')).to.deep.equal({ status: 403 });
    expect(response('mail')).to.deep.equal({ status: 418 });
    expect(response('other')).to.equal(undefined);
  });

  it('tells which attributes each part of a section reads', () => {
    const { parts, isEmpty } = policies.sectionFor('tool', 'pay');
    expect(parts.args).to.deep.equal({ isEmpty: false, reads: ['args.note', 'args.to'] });
    expect(parts.preInvocation.reads).to.deep.equal(codes.map(([role]) => `role.${role}`).sort());
    expect(parts.result).to.deep.equal({ isEmpty: true, reads: [] });
    expect(parts.postInvocation.reads).to.deep.equal(['result.n']);
    expect(isEmpty).to.equal(false);
    const rules = { pre_invocation: ['data.t[claim.org].x & args.a in subject.teams: deny'] };
    const { global } = compileDocument({ global: rules }, { attributes: ['data.*'] });
    expect(global.parts.preInvocation.reads).to.deep.equal(['args.a', 'claim.org', 'data.t.*', 'subject.teams']);
    expect(compileDocument({}).global.isEmpty).to.equal(true);
  });

  it('runs single parts and phases of a section', () => {
    const { decide } = policies.sectionFor('tool', 'pay');
    const attributes = { 'role.own': true, 'result.n': 5 };
    expect(decide(attributes, { part: 'args', args: { to: 1 } })).to.include({ rule: 'routes.tool:pay.apl.args.to' });
    expect(decide(attributes, { part: 'preInvocation' })).to.include({ rule: 'routes.tool:pay.apl.pre_invocation[0]' });
    expect(decide(attributes, { part: 'result' })).to.include({ decision: 'allow' });
    expect(decide(attributes, { part: 'postInvocation' })).to.include({
      rule: 'routes.tool:pay.apl.post_invocation[0]',
    });
    expect(decide(attributes, { phase: 'post' })).to.include({ rule: 'routes.tool:pay.apl.post_invocation[0]' });
    expect(decide(attributes, { phase: 'post', result: { n: 1 } })).to.include({ decision: 'allow' });
  });

  it('reasons have values of arguments, and no values of results', () => {
    const chains = { a: 'enum(x)', n: '0..9' };
    const { global } = compileDocument({ global: { args: chains, result: chains } });
    expect(global.evaluate({}, { result: { a: 'secret' } }).reason).to.equal('value not in enum ["x"]');
    expect(global.evaluate({}, { result: { n: 4711 } }).reason).to.equal('value outside [Some(0), Some(9)]');
    expect(global.evaluate({}, { args: { a: 'mine' } }).reason).to.equal('value `mine` not in enum ["x"]');
  });
});

describe('arguments and results', () => {
  const compile = (section: object) => compileDocument({ global: section }).global;

  it('are changed in a copy, with the fields in their order', () => {
    const { evaluate } = compile({ args: { 'user.ssn': 'mask(2)', 'user.pin': 'omit', gone: 'redact' } });
    const args = { a: 1, user: { pin: 1, ssn: '1234', name: 'n' }, b: [2] };
    const decision = evaluate({}, { args: Object.freeze(args) });
    expect(JSON.stringify(decision.args)).to.equal('{"a":1,"user":{"ssn":"**34","name":"n"},"b":[2]}');
    expect(args.user).to.deep.equal({ pin: 1, ssn: '1234', name: 'n' });
  });

  it('come from the attributes if they are not given', () => {
    const { evaluate } = compile({ args: { 'user.ssn': 'mask(2)' }, result: { tags: 'redact' } });
    const decision = evaluate({ 'args.user.ssn': '1234', 'result.tags': new Set(['a']) });
    expect(decision).to.deep.include({ args: { user: { ssn: '**34' } }, result: { tags: '[REDACTED]' } });
  });

  it('are read by rules as they were before the chains of the phase', () => {
    const section = {
      args: { x: 'redact' },
      pre_invocation: ["args.x == 's': deny"],
      post_invocation: ["args.x == '[REDACTED]': deny"],
    };
    const { evaluate } = compile(section);
    expect(evaluate({}, { args: { x: 's' } })).to.include({ code: 'global.apl.pre_invocation[0]' });
    expect(evaluate({}, { args: { x: 't' } })).to.include({ code: 'global.apl.post_invocation[0]' });
  });

  it('do not reach prototypes', () => {
    const { evaluate } = compile({
      args: { '__proto__.polluted': 'redact', 'constructor.name': 'redact', toString: 'omit' },
    });
    expect(evaluate({}, { args: JSON.parse('{"__proto__": {"polluted": 1}, "b": 1}') }).args).to.not.equal(undefined);
    expect(evaluate({}, { args: {} })).to.deep.equal({ decision: 'allow', taints: [] });
    expect(Object.keys(Object.prototype)).to.deep.equal([]);
    expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined);
  });

  const unreadable: ReadonlyArray<readonly [what: string, args: unknown]> = [
    ['two fields of the same path', { a: { b: 1 }, 'a.b': 2 }],
    ['too deep a value', JSON.parse(`${'{"a":'.repeat(2_000)}1${'}'.repeat(2_000)}`)],
  ];
  for (const [what, args] of unreadable) {
    it(`with ${what} are an error`, () => {
      const { evaluate } = compile({ pre_invocation: ['args.a.b == 2: deny'] });
      expect(() => evaluate({}, { args }))
        .to.throw()
        .with.property('code', 'policy.error');
    });
  }

  it('that no rule could read are an error, not absent attributes', () => {
    const { evaluate } = compile({ pre_invocation: ['security.labels contains "x": deny'] });
    const predicate = compilePredicate('security.labels contains "x"');
    for (const wrong of [
      undefined,
      null,
      'x',
      [],
      new Map([['security.labels', ['x']]]),
      { security: { labels: ['x'] } },
    ]) {
      for (const call of [() => evaluate(wrong as never), () => predicate(wrong as never)]) {
        expect(call).to.throw('The attributes must').with.property('code', 'policy.error');
      }
    }
  });

  it('with an attribute of a wrong type are an error, not an absent attribute', () => {
    const { evaluate } = compile({ pre_invocation: ['role.x: deny'] });
    for (const wrong of [null, {}, new Map(), () => true, 1n]) {
      expect(() => evaluate({ 'role.x': wrong as unknown as string }))
        .to.throw()
        .with.property('code', 'policy.error');
    }
    expect(evaluate(Object.create({ 'role.x': true })).decision).to.equal('allow');
  });
});
