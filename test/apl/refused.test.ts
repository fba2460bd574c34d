import { expect } from 'chai';
import { compileChain, compilePredicate, compileSection } from '../../lib/apl.js';
import { faultOf, placedFaultOf } from './policy-faults.js';

const HANDLER = 'Ask for it in the handler, and deny with req.security.deny().';

/** Constructs of CPEX that this package does not have. */
const REFUSED: ReadonlyArray<readonly [entry: string, at: string, offending: string, fix: string]> = [
  ['parallel: [deny]', '2:5', 'parallel', 'Use sequential, which has the same effects in order.'],
  [
    '{ when: a, do: [{ parallel: [deny] }] }',
    '2:23',
    'parallel',
    'Use sequential, which has the same effects in order.',
  ],
  [
    'restrict: { allow_regions: [eu] }',
    '2:5',
    'restrict',
    'It chooses backends of a gateway. Deny with a rule instead.',
  ],
  [
    'delegate: { plugin: p }',
    '2:5',
    'delegate',
    'Exchange tokens in the handler, and state the outcome as an attribute.',
  ],
  ['delegate(p)', '2:5', 'delegate(p)', 'Exchange tokens in the handler, and state the outcome as an attribute.'],
  [
    '{ a: [delegate(p)] }',
    '2:11',
    'delegate(p)',
    'Exchange tokens in the handler, and state the outcome as an attribute.',
  ],
  [
    '"require_approval(m, from: a)"',
    '2:6',
    'require_approval(m, from: a)',
    'Ask for approvals in the handler, and deny with req.security.deny().',
  ],
  ['"require_step_up(m)"', '2:6', 'require_step_up(m)', HANDLER],
  ['"require_attestation(m)"', '2:6', 'require_attestation(m)', HANDLER],
  ['"require_review(m)"', '2:6', 'require_review(m)', HANDLER],
  ['"request_info(m)"', '2:6', 'request_info(m)', HANDLER],
  ['"confirm(m)"', '2:6', 'confirm(m)', HANDLER],
  [
    '"validate(m)"',
    '2:6',
    'validate(m)',
    'CPEX does not implement it. Use a chain with regex("pattern"), or plugin(name).',
  ],
  [
    `{ when: a, do: "args.x | hash" }`,
    '2:30',
    'hash',
    'Its value differs between versions of CPEX, and it can be guessed. Use redact, mask(n) or a plugin.',
  ],
  ['"cel: x"', '2:6', 'cel: x', "Write - cel: { expr: '…' }, without quotes around it."],
  ['a: deny', '2:5', 'a', 'Put a rule with a colon into quotes: - "a: deny". A decision point has a map.'],
];

describe('APL refuses', () => {
  for (const [entry, at, offending, fix] of REFUSED) {
    it(`the entry ${entry}`, () => {
      expect(placedFaultOf(() => compileSection(`pre_invocation:\n  - ${entry}`))).to.deep.equal({
        at,
        offending,
        fix,
      });
    });
  }

  for (const stage of ['hash', 'hash(1)', 'pii.detect', 'pii.redact', 'injection.scan', 'validate(x)']) {
    it(`the stage ${stage}`, () => {
      const { position, offending, message } = faultOf(() => compileChain(`str | ${stage}`));
      expect({ position, offending }).to.deep.equal({ position: { line: 1, column: 7 }, offending: stage });
      expect(message).to.include('is not supported');
    });
  }

  for (const key of ['policy', 'post_policy', 'identity', 'plugins', 'capabilities']) {
    it(`the key ${key}:`, () => {
      const { offending, message } = faultOf(() => compileSection({ [key]: [] }));
      expect(offending).to.equal(key);
      expect(message).to.include('is not supported');
    });
  }

  it('a whole document in place of a section', () => {
    expect(faultOf(() => compileSection({ routes: [] })).fix).to.equal('Compile it with compileDocument().');
  });
});

/** Mistakes in predicates: the column, and a part of the message. */
const MISTAKES: ReadonlyArray<readonly [source: string, column: number, message: string]> = [
  ['a &', 4, 'A condition starts with a key'],
  ['a && b', 4, 'A condition starts with a key'],
  ['a or b', 3, 'Join conditions with & or |'],
  ['role.hr-admin', 8, 'A key has letters, digits, _ and dots only'],
  ['(a', 3, 'Close the parenthesis'],
  ['a == b', 6, 'The right side is a string'],
  ['a = b', 3, 'Write == to compare'],
  [`a == 'it`, 6, 'Close the string'],
  ['a in "x"', 6, '`in` compares two keys'],
  ['a > 1e3', 6, 'Join conditions'],
  ['a > 9223372036854775808', 5, 'does not fit in 64 bits'],
  ['a[b[c]]', 2, 'Close the group'],
  ['require(a) & b', 1, 'require() is a rule of its own'],
  ['', 1, 'The predicate is empty'],
];

describe('a mistake in a predicate', () => {
  for (const [source, column, message] of MISTAKES) {
    it(`${source || '(nothing)'} is found at column ${column}`, () => {
      const error = faultOf(() => compilePredicate(source, { file: 'rule.txt' }));
      expect(error.position).to.deep.equal({ line: 1, column });
      expect(error.message)
        .to.match(/^rule\.txt:1:\d+: /)
        .and.to.include(message);
    });
  }

  it('in the second line of a folded text is found there', () => {
    const text = 'pre_invocation:\n  - when: |\n      a &\n      b c\n    do: deny';
    expect(faultOf(() => compileSection(text)).position?.line).to.equal(2);
    expect(faultOf(() => compilePredicate('a &\n  b c')).position).to.deep.equal({ line: 2, column: 5 });
  });
});
