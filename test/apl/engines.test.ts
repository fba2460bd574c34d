import { expect } from 'chai';
import {
  type Attributes,
  compileChain,
  compileDocument,
  compileSection,
  type DecisionPoint,
  type Plugin,
} from '../../lib/apl.js';

const wrongAnswers: readonly unknown[] = [
  undefined,
  true,
  {},
  { allow: false },
  { allow: true, code: 'c' },
  { code: 'c' },
  { code: '', reason: 'r' },
];

describe('plugins and decision points', () => {
  const document = {
    global: {
      pre_invocation: [
        'taint(a)',
        'plugin(ask)',
        'taint(b)',
        { cel: { expr: 'x', on_allow: ["role.x: deny('x')"], on_deny: ['taint(c)'] } },
      ],
    },
  };
  const compile = (ask: Plugin, cel: DecisionPoint) =>
    compileDocument(document, { plugins: { ask }, decisionPoints: { cel } }).global;
  const allow = () => ({ allow: true }) as const;

  it('receive the attributes, the phase, and the members of the step', () => {
    const calls: unknown[] = [];
    const ask: Plugin = (call, attributes) => {
      calls.push(call, attributes);
      return { allow: true };
    };
    const cel: DecisionPoint = (call) => {
      calls.push(call);
      return { allow: true };
    };
    const attributes: Attributes = { 'role.y': true };
    expect(compile(ask, cel).evaluate(attributes)).to.deep.include({ decision: 'allow' });
    expect(calls).to.deep.equal([
      { phase: 'pre', field: undefined },
      attributes,
      { dialect: 'cel', arguments: { expr: 'x' } },
    ]);
  });

  it('are called only if the rules before them allow', () => {
    const never = () => expect.fail('was called');
    const rules = { pre_invocation: ['deny', 'plugin(p)', { cel: {} }] };
    const section = compileSection(rules, { plugins: { p: never }, decisionPoints: { cel: never } });
    expect(section.evaluate({})).to.include({ decision: 'deny' });
  });

  it('answer synchronously without a promise, and asynchronously with one', async () => {
    const isPromise = (value: unknown) => value instanceof Promise;
    const later = async () => ({ allow: true }) as const;
    expect(isPromise(compile(allow, allow).evaluate({}))).to.equal(false);
    const decision = compile(later, later).evaluate({});
    expect(isPromise(decision)).to.equal(true);
    expect(await decision).to.deep.equal({
      decision: 'allow',
      taints: [
        ['a', ['session']],
        ['b', ['session']],
      ],
    });
  });

  it('deny with their own code, and their taints count', async () => {
    const deny = async () => ({ code: 'closed', reason: 'not now', taints: [['p', ['message']]] }) as const;
    const decision = await compile(deny, allow).decide({});
    expect(decision).to.deep.equal({
      decision: 'deny',
      code: 'closed',
      reason: 'not now',
      taints: [
        ['a', ['session']],
        ['p', ['message']],
      ],
      rule: 'global.apl.pre_invocation[1]',
    });
  });

  it('a denial of a decision point runs on_deny, and an allowance on_allow', async () => {
    const denied = await compile(allow, () => ({ code: 'c', reason: 'r' })).evaluate({});
    expect(denied).to.deep.include({ code: 'c', reason: 'r' });
    expect(denied.taints).to.deep.include(['c', ['session']]);
    expect(compile(allow, allow).evaluate({ 'role.x': true })).to.include({
      code: 'global.apl.pre_invocation[3].on_allow[0]',
      reason: 'x',
    });
  });

  const failures: ReadonlyArray<readonly [how: string, fail: () => never | Promise<never>]> = [
    [
      'throws',
      () => {
        throw new Error('password=x');
      },
    ],
    ['rejects', () => Promise.reject(new Error('password=x'))],
  ];
  for (const [how, fail] of failures) {
    it(`one that ${how} denies, and the reason holds nothing of the error`, async () => {
      const plugin = await compile(fail, allow).decide({});
      expect(plugin).to.deep.include({ code: 'plugin:ask', reason: 'plugin `ask` error: the call has failed' });
      const point = await compile(allow, fail).decide({});
      expect(point).to.deep.include({ code: 'pdp:Cel', reason: 'PDP error: PDP dispatch failed' });
      for (const { cause, ...decision } of [plugin, point] as { cause?: Error }[]) {
        expect(cause?.message).to.equal('password=x');
        expect(JSON.stringify(decision)).to.not.include('password');
      }
    });
  }

  it('one that answers anything else denies', () => {
    for (const answer of wrongAnswers) {
      const wrong = () => answer as { allow: true };
      expect(compile(wrong, allow).evaluate({}), String(answer)).to.include({ code: 'plugin:ask' });
      expect(compile(allow, wrong).evaluate({}), String(answer)).to.include({ code: 'pdp:Cel' });
    }
  });

  it('change fields in chains', async () => {
    const upper: Plugin = async ({ field }) => ({ allow: true, value: String(field?.value).toUpperCase() });
    const chain = compileChain('str | plugin(upper) | mask(1)', { plugins: { upper } });
    expect(await chain.apply('abc')).to.deep.equal({ outcome: 'replace', value: '**C', taints: [] });
    const section = compileSection({ args: { 'a.b': 'plugin(upper)' } }, { plugins: { upper } });
    expect(await section.evaluate({}, { args: { a: { b: 'x' } } })).to.deep.include({ args: { a: { b: 'X' } } });
  });

  it('that CPEX does not have by name have its code for them', () => {
    const section = compileSection({ pre_invocation: [{ 'rego("a/b")': {} }] });
    expect(section.evaluate({})).to.include({
      code: 'pdp:Custom("rego")',
      reason: 'PDP error: no PDP resolver registered for dialect Custom("rego")',
    });
  });

  it('named like members of Object.prototype are unknown', () => {
    const section = compileSection({ pre_invocation: ['plugin(constructor)'] });
    expect(section.evaluate({})).to.include({ code: 'plugin:constructor' });
  });
});
