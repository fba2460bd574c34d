import { expect } from 'chai';
import fc from 'fast-check';
import { compileChain, compilePredicate, compileSection, type Taint } from '../../lib/apl.js';
import { type Bag, bags, evaluateNaively, print, type Tree, trees } from './naive-evaluator.js';

const RUNS = { numRuns: 2_000 };

/** A rule, and what it does if its condition holds. */
interface NaiveRule {
  readonly tree: Tree | undefined;
  readonly effects: readonly NaiveEffect[];
  readonly form: 'line' | 'map' | 'list';
}
type NaiveEffect = 'allow' | 'deny' | 'taint' | 'deny with a code';

const TEXTS: Readonly<Record<NaiveEffect, string>> = {
  allow: 'allow',
  deny: 'deny',
  taint: 'taint(t, message)',
  'deny with a code': "deny('a: reason', 'own.code')",
};

const rules: fc.Arbitrary<NaiveRule> = fc
  .record({
    tree: fc.option(trees, { nil: undefined }),
    effects: fc.array(fc.constantFrom<NaiveEffect>('allow', 'deny', 'taint', 'deny with a code'), {
      minLength: 1,
      maxLength: 3,
    }),
    form: fc.constantFrom('line' as const, 'map' as const, 'list' as const),
  })
  .map((rule) => ({
    ...rule,
    form: rule.effects.length === 1 && rule.effects[0] !== 'taint' ? rule.form : formOf(rule),
  }));

function formOf({ form }: NaiveRule): NaiveRule['form'] {
  return form === 'line' ? 'map' : form;
}

describe('APL and a naive evaluator', () => {
  it('predicates have the same value', () => {
    fc.assert(
      fc.property(trees, bags, (tree, bag) => {
        expect(compilePredicate(print(tree))(bag), print(tree)).to.equal(evaluateNaively(tree, bag));
      }),
      RUNS,
    );
  });

  it('sections decide the same, with the same codes and taints', () => {
    fc.assert(
      fc.property(fc.array(rules, { maxLength: 6 }), bags, (list, bag) => {
        const section = { pre_invocation: list.map(entryOf) };
        expect(compileSection(section).evaluate(bag), JSON.stringify(section)).to.deep.equal(decideNaively(list, bag));
      }),
      RUNS,
    );
  });

  it('a section in JSON decides as the same section as an object', () => {
    fc.assert(
      fc.property(fc.array(rules, { maxLength: 6 }), bags, (list, bag) => {
        const text = JSON.stringify({ authorization: { post_invocation: list.map(entryOf) } });
        const codes = decideNaively(list, bag, 'post');
        expect(compileSection(text).evaluate(bag)).to.deep.equal(codes);
      }),
      { numRuns: 500 },
    );
  });

  it('chains of checks and changes have the same outcome', () => {
    const stages = fc.constantFrom(
      'str',
      'int',
      'bool',
      'float',
      'len(2..3)',
      '-2..2',
      'enum(ab, c)',
      'mask(1)',
      'redact',
      'omit',
    );
    const values = fc.constantFrom<unknown>('ab', 'c', '💥💥💥', '', 'abcd', 0, 2, -3, 1.5, true, null, [], {});
    fc.assert(
      fc.property(fc.array(stages, { maxLength: 4 }), values, (chain, value) => {
        const made = compileChain(chain.join(' | ')).apply(value);
        const { outcome, value: replaced, stage } = { value: undefined, stage: undefined, ...made };
        expect({ outcome, replaced, stage }, chain.join('|')).to.deep.equal(applyNaively(chain, value));
      }),
      RUNS,
    );
  });
});

function entryOf({ tree, effects, form }: NaiveRule): unknown {
  const texts = effects.map((effect) => TEXTS[effect]);
  if (tree === undefined) return form === 'line' ? texts[0] : { sequential: texts };
  if (form === 'line') return `${print(tree)}: ${texts[0]}`;
  return form === 'map' ? { do: texts, when: print(tree) } : { [print(tree)]: texts };
}

function decideNaively(list: readonly NaiveRule[], bag: Bag, phase = 'pre'): unknown {
  const taints: Taint[] = [];
  for (const [index, { tree, effects }] of list.entries()) {
    if (tree !== undefined && !evaluateNaively(tree, bag)) continue;
    for (const effect of effects) {
      if (effect === 'taint') taints.push(['t', ['message']]);
      if (effect === 'deny') {
        return { decision: 'deny', code: `global.apl.${phase}_invocation[${index}]`, reason: 'access denied', taints };
      }
      if (effect === 'deny with a code') return { decision: 'deny', code: 'own.code', reason: 'a: reason', taints };
    }
  }
  return { decision: 'allow', taints };
}

function applyNaively(
  chain: readonly string[],
  given: unknown,
): { outcome: string; replaced: unknown; stage: unknown } {
  let value = given;
  let outcome = 'pass';
  const isWhole = () => typeof value === 'number' && Math.floor(value) === value;
  const size = () => (typeof value === 'string' ? Array.from(value).length : Number.NaN);
  const passes: Readonly<Record<string, () => boolean>> = {
    str: () => typeof value === 'string',
    int: isWhole,
    bool: () => value === true || value === false,
    float: () => typeof value === 'number',
    'len(2..3)': () => size() === 2 || size() === 3,
    '-2..2': () => isWhole() && (value as number) >= -2 && (value as number) <= 2,
    'enum(ab, c)': () => value === 'ab' || value === 'c',
    'mask(1)': () => typeof value === 'string',
  };
  for (const [stage, text] of chain.entries()) {
    if (text === 'omit') return { outcome: 'omit', replaced: undefined, stage: undefined };
    if (passes[text]?.() === false) return { outcome: 'deny', replaced: undefined, stage };
    if (text === 'redact') [value, outcome] = ['[REDACTED]', 'replace'];
    if (text === 'mask(1)') {
      const letters = Array.from(value as string);
      [value, outcome] = [letters.map((letter, at) => (at < letters.length - 1 ? '*' : letter)).join(''), 'replace'];
    }
  }
  return { outcome, replaced: outcome === 'replace' ? value : undefined, stage: undefined };
}
