import { expect } from 'chai';
import { compileChain } from '../../lib/apl.js';
import { faultOf } from './policy-faults.js';

const chain = (pattern: string) => compileChain(`regex("${pattern}")`);
const matches = (pattern: string, text: string) => chain(pattern).apply(text).outcome === 'pass';

describe('regex()', () => {
  /** What Rust's `regex` answers. RE2 would read the marked ones as ASCII. */
  const answers: ReadonlyArray<readonly [pattern: string, text: string, matches: boolean]> = [
    ['b', 'abc', true],
    ['^b', 'abc', false],
    ['^a.c$', 'a💥c', true],
    ['^a.c$', 'a\nc', false],
    ['^a$', 'a\n', false],
    ['^\\d+$', '３', true],
    ['^[\\d-]+$', '３-4', true],
    ['^\\D$', '３', false],
    ['^\\w+$', 'größe_1', true],
    ['^[\\w.]+$', 'größe.x', true],
    ['^\\W$', 'ö', false],
    ['^a\\sb$', 'a\u0085b', true],
    ['^a[\\s,]b$', 'a\u2003b', true],
    ['^\\S$', '\u00a0', false],
    ['^(?i)straße$', 'STRASSE', false],
    ['(?i)^ABC$', 'abc', true],
    ['^[[:alpha:]]+$', 'abc', true],
    ['^\\p{Greek}+$', 'αβγ', true],
    ['^[]a]$', ']', true],
    ['^a{2,3}$', 'aaa', true],
    ['\\bfoo\\b', 'a foo b', true],
    ['^\\x41\\x{1F4A5}$', 'A💥', true],
    ['^(?P<year>\\d{4})-(?<month>\\d\\d)$', '2026-11', true],
  ];
  for (const [pattern, text, expected] of answers) {
    it(`${pattern} ${expected ? 'matches' : 'does not match'} ${JSON.stringify(text)}`, () => {
      expect(matches(pattern, text)).to.equal(expected);
    });
  }

  it('denies if the engines could differ: a boundary in text that is not ASCII', () => {
    expect(chain('\\bfoo\\b').apply('foo ö')).to.deep.equal({
      outcome: 'deny',
      reason: 'regex `\\bfoo\\b` has \\b, which needs ASCII text',
      stage: 0,
      taints: [],
    });
  });

  for (const pattern of [
    '(?=a)',
    '(?<!a)',
    '(a)\\1',
    '[',
    'a**',
    '*a',
    'a{',
    'a{,3}',
    '[a&&b]',
    '[a--b]',
    '[a[b]]',
    '\\Qa\\E',
    '\\Z',
    '\\012',
    '\\<a',
    '(?x) a',
    '(?-u)a',
    '[\\W]',
    '\\C',
    '\\u{41}',
    'a{1001}',
  ]) {
    it(`${pattern} is refused when the chain is compiled`, () => {
      expect(faultOf(() => chain(pattern)).message).to.match(/^1:1: The regular expression /);
    });
  }

  it('takes linear time', () => {
    const nested = chain('^(a+)+$');
    const started = process.cpuUsage();
    expect(nested.apply(`${'a'.repeat(100_000)}!`).outcome).to.equal('deny');
    // an engine that backtracks would not end
    expect(process.cpuUsage(started).user).to.be.lessThan(5_000_000);
  });
});
