import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import {
  type AttributeValue,
  compileChain,
  compilePredicate,
  compileSection,
  type DecisionPoint,
  type Plugin,
} from '../../lib/apl.js';

/** An input of ours, and the answer of CPEX's own parser and evaluator. */
interface Vector {
  readonly id: number;
  readonly kind: 'predicate' | 'block' | 'pipeline';
  readonly src?: string;
  readonly yaml?: string;
  readonly attrs?: Readonly<Record<string, AttributeValue>>;
  readonly source?: string;
  readonly phase?: 'pre' | 'post';
  readonly args?: unknown;
  readonly result?: unknown;
  readonly value?: unknown;
  readonly expect: { readonly error?: true };
  readonly note?: string;
}

/** Vectors that this package answers in another way, on purpose. */
const REFUSED: Readonly<Record<number, string>> = {
  331: 'parallel',
  364: 'require_approval',
  366: 'require_approval',
  367: 'require_approval',
  369: 'delegate',
  380: 'pii.detect',
  381: 'injection.scan',
  411: 'restrict',
  413: 'restrict',
  // CPEX accepts the pattern, and then denies every request
  470: 'regular expression is invalid',
  503: 'pii.redact',
  504: 'injection.scan',
};
/** The reason of a denial never holds what a decision point has thrown. */
const REASON_WITHOUT_CAUSE = 350;

const vectors = readFileSync(new URL('./cpex-vectors.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Vector);

const plugins: Readonly<Record<string, Plugin>> = {
  ok: () => ({ allow: true }),
  no: () => ({ code: 'plugin.code', reason: 'plugin says no' }),
  upper: ({ field }) => ({ allow: true, value: String(field?.value).toUpperCase() }),
};
const decide: DecisionPoint = ({ arguments: given }) => {
  const text = typeof given === 'string' ? given : given['expr'];
  if (text === 'error') throw new Error('down');
  return String(text).includes('deny') ? { code: 'pdp.code', reason: 'pdp says no' } : { allow: true };
};

describe('vectors of CPEX', () => {
  for (const vector of vectors) {
    const { id, note, src, yaml } = vector;
    const refusal = REFUSED[id];
    const title = `${id}: ${note ?? (src ?? yaml ?? '').replace(/\s+/g, ' ')}`.slice(0, 66);
    it(refusal === undefined ? title : `${id}: refused, unlike in CPEX`, () => {
      if (refusal !== undefined) expect(() => answer(vector)).to.throw(refusal);
      else if (vector.expect.error) expectRefused(() => answer(vector));
      else if (id === REASON_WITHOUT_CAUSE) {
        expect(answer(vector)).to.deep.equal({ ...vector.expect, reason: 'PDP error: PDP dispatch failed' });
      } else expect(answer(vector)).to.deep.equal(vector.expect);
    });
  }
});

function expectRefused(work: () => unknown): void {
  expect(work).to.throw().with.property('code', 'policy.invalid_document');
}

function answer({ kind, src = '', yaml = '', attrs = {}, source, value, ...input }: Vector): unknown {
  const { phase = 'pre', args, result } = input;
  switch (kind) {
    case 'predicate':
      return { value: compilePredicate(src)(attrs) };
    case 'pipeline':
      return compileChain(src, { plugins }).apply(value, attrs);
    case 'block': {
      const name = source ?? 'global.apl';
      const section = compileSection(yaml, { name, plugins, decisionPoints: { cel: decide, opa: decide } });
      return section.evaluate(attrs, { phase, args, result });
    }
  }
}
