import { expect } from 'chai';
import fc from 'fast-check';
import { compileChain, compileDocument, compilePredicate, compileSection, PolicyDocumentError } from '../../lib/apl.js';

const WORDS = [
  ...[
    'a',
    'b.c',
    'role.x',
    'data[a].b',
    'not',
    'in',
    'not in',
    'contains',
    'exists',
    'exists(',
    'require(',
    'true',
    'false',
  ],
  ...[
    '==',
    '!=',
    '<=',
    '>=',
    '<',
    '>',
    '=',
    '&',
    '|',
    '!',
    '(',
    ')',
    '[',
    ']',
    ',',
    ':',
    '..',
    '.',
    '-',
    '+',
    '\\',
    '\n',
    ' ',
  ],
  ...[
    '"',
    "'",
    '"x"',
    "'y'",
    '1',
    '-2',
    '.5',
    '1e3',
    '99999999999999999999',
    'é',
    '💥',
    '\ud800',
    '\u0000',
    '\ufeff',
    '\u00a0',
  ],
  ...[
    'deny',
    'allow',
    'deny(',
    "deny('r', 'c')",
    'taint(',
    'taint(x)',
    'plugin(',
    'plugin(p)',
    'run(',
    'delegate(',
    'opa(',
  ],
  ...[
    'str',
    'int',
    'len(',
    'len(1..2)',
    '0..9',
    '1k..',
    'enum(',
    'enum(a, b)',
    'regex(',
    'regex("a+")',
    'mask(',
    'mask(2)',
    'redact',
    'redact(',
    'omit',
    'hash',
  ],
  ...['args.x', 'result.y', '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'security.labels'],
];

/** Texts that look like rules and chains, and texts of any characters. */
const texts = fc.oneof(
  { weight: 4, arbitrary: fc.array(fc.constantFrom(...WORDS), { maxLength: 12 }).map((words) => words.join('')) },
  { weight: 2, arbitrary: fc.array(fc.constantFrom(...WORDS), { maxLength: 12 }).map((words) => words.join(' ')) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
);
const keys = fc.constantFrom(
  ...[
    'authorization',
    'pre_invocation',
    'post_invocation',
    'args',
    'result',
    'apl',
    'when',
    'do',
    'sequential',
    'cel',
    'on_allow',
  ],
  ...[
    'on_deny',
    'global',
    'routes',
    'groups',
    'defaults',
    'tool',
    'meta',
    'tags',
    'scope',
    'response',
    'status',
    'headers',
    'body',
  ],
  ...['__proto__', 'constructor', 'a', 'opa("x")'],
);
/** Objects that look like documents. */
const values = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 5 }, texts, fc.constantFrom(null, true, 403, 1.5), tie('list'), tie('map')),
  list: fc.array(tie('value'), { maxLength: 4 }),
  map: fc.dictionary(keys, tie('value'), { maxKeys: 4 }),
}));
const attributes = { a: true, 'b.c': ['x'], 'role.x': 'x', 'args.x': 's', 'result.y': 1, '__proto__.x': true };
const RUNS = { numRuns: 1_500 };

/** Runs `work`, which may throw the coded error only, and checks that no prototype has changed. */
function survives(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof PolicyDocumentError)) throw error;
    expect(error.code).to.equal('policy.invalid_document');
    expect(error.fix).to.not.equal('');
  }
  expect(Object.getOwnPropertyNames(Object.prototype)).to.deep.equal(PROTOTYPE);
  expect(Object.getOwnPropertyNames(Array.prototype)).to.deep.equal(LIST_PROTOTYPE);
}

const PROTOTYPE = Object.getOwnPropertyNames(Object.prototype);
const LIST_PROTOTYPE = Object.getOwnPropertyNames(Array.prototype);

describe('APL survives any text', () => {
  it('as a predicate', () => {
    fc.assert(
      fc.property(texts, (text) => survives(() => compilePredicate(text)(attributes))),
      RUNS,
    );
  });

  it('as a chain', () => {
    const fields = fc.constantFrom<unknown>('abc', 5, null, [], {});
    fc.assert(
      fc.property(texts, fields, (text, value) => survives(() => compileChain(text).apply(value, attributes))),
      RUNS,
    );
  });

  it('as a rule, an effect and a condition', () => {
    const sections = texts.map((text) => [
      { pre_invocation: [text] },
      { pre_invocation: [{ when: 'a', do: [text] }] },
      { pre_invocation: [{ [text === '__proto__' ? 'a' : text]: ['taint(x)'] }] },
      { post_invocation: [{ when: text, do: text }] },
    ]);
    fc.assert(
      fc.property(sections, (forms) => {
        for (const form of forms) survives(() => compileSection(form).evaluate(attributes));
      }),
      { numRuns: 700 },
    );
  });

  it('as a document in YAML', () => {
    const lines = fc.array(
      fc.tuple(fc.nat(3), fc.constantFrom('', '- ', '? '), keys, fc.constantFrom(': ', ':', ' '), texts),
      { maxLength: 8 },
    );
    const yaml = lines.map((list) => list.map(([depth, ...parts]) => '  '.repeat(depth) + parts.join('')).join('\n'));
    fc.assert(
      fc.property(fc.oneof(yaml, texts), (text) => {
        survives(() => compileDocument(text).global.evaluate({}));
        survives(() => compileSection(text, { strict: true }).evaluate({}));
      }),
      { numRuns: 500 },
    );
  });

  it('as a document of objects and in JSON', () => {
    fc.assert(
      fc.property(values['value'] as fc.Arbitrary<unknown>, (value) => {
        survives(() => compileDocument(value));
        survives(() => compileDocument(JSON.stringify(value)));
        survives(() => compileSection(value).evaluate(attributes, { args: value, result: value }));
      }),
      RUNS,
    );
  });

  const long: ReadonlyArray<readonly [what: string, work: () => unknown]> = [
    ['negations', () => compilePredicate(`${'!'.repeat(9_000)}a`)({ a: true })],
    ['parentheses', () => compilePredicate(`${'('.repeat(4_000)}a${')'.repeat(4_000)}`)],
    ['conditions', () => compilePredicate(Array(2_000).fill('a').join(' | '))({})],
    ['groups', () => compilePredicate(`a${'[b]'.repeat(3_000)}`)({})],
    ['open quotes', () => compileSection({ pre_invocation: [`${"deny('".repeat(1_000)}`] })],
    ['stages', () => compileChain('str|'.repeat(2_000)).apply('a')],
    ['characters', () => compilePredicate('a'.repeat(1_000_000))],
    ['white space', () => compilePredicate(`a${' '.repeat(9_000)}b`)],
    ['digits in an argument', () => compilePredicate('a > 1')({ a: `${'1'.repeat(1_000_000)}x` })],
    ['spaces in an argument', () => compilePredicate('a > 1')({ a: ` ${' '.repeat(1_000_000)}x` })],
  ];
  for (const [what, work] of long) {
    it(`with many ${what}, in a short time`, () => {
      const started = process.cpuUsage();
      survives(work);
      expect(process.cpuUsage(started).user).to.be.lessThan(2_000_000);
    });
  }
});
