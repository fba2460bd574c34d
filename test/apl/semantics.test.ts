import { expect } from 'chai';
import { compilePredicate, compileSection } from '../../lib/apl.js';
import { faultOf } from './policy-faults.js';

describe('meanings of APL that no vector has', () => {
  it('numbers in strings may have the white space of Unicode around them', () => {
    const isLarge = compilePredicate('a > 2');
    expect(isLarge({ a: '\u00853\u2003' })).to.equal(true);
    expect(isLarge({ a: '\ufeff3' })).to.equal(false);
  });

  it('a decision point that fails does not run on_deny', () => {
    const fail = () => {
      throw new Error('down');
    };
    const rules = {
      pre_invocation: [{ cel: { on_deny: ["deny('mine', 'own')"], on_allow: ["deny('mine', 'own')"] } }],
    };
    expect(compileSection(rules, { decisionPoints: { cel: fail } }).evaluate({})).to.include({ code: 'pdp:Cel' });
  });

  it('a chain in a rule of the other phase changes nothing', () => {
    const rules = [{ when: 'a', do: ['result.x | redact'] }];
    const decision = compileSection({ pre_invocation: rules }).evaluate({ a: true }, { result: { x: 's' } });
    expect(decision).to.deep.equal({ decision: 'allow', taints: [] });
  });

  it('rules before the call do not see its result', () => {
    const rule = ['exists(result.x): deny'];
    const input = { result: { x: 1 } };
    expect(compileSection({ pre_invocation: rule }).evaluate({}, input)).to.include({ decision: 'allow' });
    expect(compileSection({ post_invocation: rule }).evaluate({}, input)).to.include({ decision: 'deny' });
  });

  it('the chain that replaces an earlier one has the place of its own layer', () => {
    const layers = [{ args: { x: 'taint(a)', y: 'taint(b)' } }, { args: { x: 'taint(c)' } }];
    const { taints } = compileSection(layers).evaluate({}, { args: { x: 1, y: 2 } });
    expect(taints.map(([label]) => label)).to.deep.equal(['b', 'c']);
  });

  it('an alternative to an absent attribute is no test for its presence', () => {
    const rule = `(!exists(claim.a) | role.x) & claim.a != 'x': deny`;
    expect(faultOf(() => compileSection({ pre_invocation: [rule] }, { strict: true })).fix).to.include(
      'exists(claim.a)',
    );
  });

  it('a backslash protects a quote in deny()', () => {
    const { evaluate } = compileSection({ pre_invocation: [String.raw`deny('a\', b', 'c')`] });
    expect(evaluate({})).to.include({ reason: String.raw`a\', b`, code: 'c' });
  });

  it('a plugin named like a member of Object.prototype is not called', () => {
    const { evaluate } = compileSection(
      { pre_invocation: ['plugin(constructor)'] },
      { plugins: { ok: () => ({ allow: true }) } },
    );
    expect(evaluate({})).to.include({
      reason: 'plugin `constructor` error: no plugin invoker available for `constructor`',
    });
  });
});
