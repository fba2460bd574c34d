import { expect } from 'chai';
import { compileDocument, compileSection, explain, type TraceEvent } from '../../lib/apl.js';
import { faultOf } from './policy-faults.js';

const TEXT = `args: { ssn: "str | mask(4)", gone: omit }
pre_invocation:
  - "!role.hr & exists(claim.org): deny('hr only')"
  - when: role.hr & args.amount > 10
    do: [taint(large), "deny('too much', 'amount')"]
  - "deny"
`;

describe('explain()', () => {
  const section = compileSection(TEXT, { file: 'pay.yaml' });
  const attributes = { 'role.hr': true, 'claim.org': 'acme-secret-name' };
  const args = { ssn: '123-45-6789', gone: 1, amount: 4711 };

  it('compiles text and objects, of a section and of a document', () => {
    const rules = { pre_invocation: ['role.a: deny'] };
    const document = { global: rules, routes: [{ tool: 'mail', pre_invocation: ['deny'] }] };
    for (const given of [rules, JSON.stringify(rules), document, JSON.stringify(document), compileDocument(document)]) {
      expect(explain(given, {}).decision.decision).to.equal('allow');
      expect(explain(given, { 'role.a': true }).decision).to.include({ code: 'global.apl.pre_invocation[0]' });
    }
    const codeOf = (key: string) => {
      const { decision } = explain(document, { 'route.key': key });
      return decision.decision === 'deny' ? decision.code : undefined;
    };
    expect(codeOf('tool:mail')).to.equal('routes.tool:mail.apl.pre_invocation[0]');
    expect([codeOf('tool:other'), codeOf('global.apl')]).to.deep.equal([undefined, undefined]);
  });

  it('refuses a document with a mistake, and what is no document', () => {
    expect(faultOf(() => explain('global: { pre_invocaton: [deny] }', {})).message).to.include('pre_invocation');
    for (const wrong of [undefined, null, 5]) {
      expect(() => explain(wrong as never, {}))
        .to.throw('explain: the first argument must be a section, a document or its text')
        .with.property('code', 'config.invalid');
    }
  });

  it('tells which rules ran, which conditions held, and what was decided', () => {
    const { decision, rules } = explain(section, attributes, { args });
    expect(decision).to.deep.include({ decision: 'deny', code: 'amount', rule: 'global.apl.pre_invocation[1]' });
    expect(rules.map(({ rule, outcome }) => `${rule}: ${outcome}`)).to.deep.equal([
      'global.apl.args.ssn: replaces',
      'global.apl.args.gone: omits',
      'global.apl.pre_invocation[0]: does not apply',
      'global.apl.pre_invocation[1]: applies',
      'global.apl.pre_invocation[1]: denies',
    ]);
    expect(rules[2]).to.deep.equal({
      rule: 'global.apl.pre_invocation[0]',
      text: "!role.hr & exists(claim.org): deny('hr only')",
      file: 'pay.yaml',
      position: { line: 3, column: 6 },
      outcome: 'does not apply',
      conditions: [{ text: 'role.hr', holds: true }],
    });
    expect(rules[3]?.conditions).to.deep.equal([
      { text: 'role.hr', holds: true },
      { text: 'args.amount > 10', holds: true },
    ]);
  });

  it('tells the same as text', () => {
    expect(explain(section, attributes, { args }).text.split('\n')).to.deep.equal([
      'global.apl.args.ssn: replaces',
      'global.apl.args.gone: omits',
      "global.apl.pre_invocation[0] (pay.yaml:3:6): does not apply: !role.hr & exists(claim.org): deny('hr only')",
      '  true  role.hr',
      'global.apl.pre_invocation[1] (pay.yaml:4:11): applies: role.hr & args.amount > 10',
      '  true  role.hr',
      '  true  args.amount > 10',
      'global.apl.pre_invocation[1]: denies',
      'taint "large" (session)',
      'deny amount: too much',
    ]);
  });

  it('shows no value of an attribute, an argument or a result', () => {
    const explanation = JSON.stringify({ ...explain(section, attributes, { args }), decision: undefined });
    for (const value of ['acme-secret-name', '123-45', '4711']) expect(explanation).to.not.include(value);
  });

  it('decides as evaluate() does, and passes its events on', () => {
    const events: TraceEvent[] = [];
    const { decision, rules } = explain(section, {}, { trace: (event) => events.push(event) });
    expect(events).to.deep.equal(rules);
    expect(decision).to.deep.equal(section.decide({}));
  });

  it('is a promise only if the section waits', async () => {
    const rules = { pre_invocation: [{ cel: {} }, 'plugin(p)'] };
    const options = {
      decisionPoints: { cel: async () => ({ allow: true }) as const },
      plugins: { p: () => ({ code: 'c', reason: 'r' }) },
    };
    const { text } = await explain(compileSection(rules, options), {});
    expect(text.split('\n')).to.deep.equal(
      [
        'global.apl.pre_invocation[0] (pre_invocation[0]): allows: cel',
        'global.apl.pre_invocation[1] (pre_invocation[1]): applies: plugin(p)',
        'global.apl.pre_invocation[1]: denies',
        'deny c: r',
      ].map((line) => line.replace(/ \(pre_invocation\[\d\]\)/, '')),
    );
  });
});
