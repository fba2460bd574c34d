import { expect } from 'chai';
import { compileChain, compileDocument, compilePredicate, compileSection } from '../../lib/apl.js';

describe('options of APL', () => {
  const wrong: ReadonlyArray<readonly [what: string, work: () => unknown, message: string]> = [
    [
      'a misspelt option',
      () => compileSection({}, { stict: true } as never),
      "compileSection: unknown option 'stict'; did you mean 'strict'?",
    ],
    [
      'a misspelt option of a document',
      () => compileDocument({}, { plugin: {} } as never),
      "unknown option 'plugin'; did you mean 'plugins'?",
    ],
    [
      'strict for a document, which always is',
      () => compileDocument({}, { strict: false } as never),
      "unknown option 'strict'",
    ],
    [
      'a plugin that is no function',
      () => compileChain('str', { plugins: { a: {} } } as never),
      "'plugins.a' must be a function",
    ],
    ['another value of absent', () => compileSection({}, { absent: 'allow' } as never), "'absent' must be 'deny'"],
    [
      'a pattern in the middle of an attribute',
      () => compilePredicate('a', { attributes: ['a.*.b'] }),
      "'attributes[0]'",
    ],
    [
      'a key that a gateway does not have',
      () => compileDocument({}, { ignoreKeys: ['global'] } as never),
      "'ignoreKeys[0]' must be",
    ],
    [
      'options of __proto__',
      () => compileSection({}, JSON.parse('{"__proto__": {"strict": true}}')),
      "a key '__proto__'",
    ],
    [
      'a predicate that is no string',
      () => compilePredicate(1 as never),
      'compilePredicate: the text must be a string; got a number.',
    ],
    [
      'a chain that is no string',
      () => compileChain(['str'] as never),
      'compileChain: the text must be a string; got an array.',
    ],
  ];
  for (const [what, work, message] of wrong) {
    it(`${what} is an error with the fix`, () => {
      expect(work).to.throw(message).with.property('code', 'config.invalid');
    });
  }

  it('name starts the codes of a section', () => {
    const { evaluate } = compileSection({ args: { x: 'int' }, pre_invocation: ['deny'] }, { name: 'pay' });
    expect(evaluate({})).to.include({ code: 'pay.pre_invocation[0]' });
    expect(evaluate({ 'args.x': 'a' })).to.include({ code: 'pay.args.x' });
  });

  it('attributes restricts the names without strict as well', () => {
    const compile = (source: string) => () => compilePredicate(source, { attributes: ['a'] });
    expect(compile('a & role.x')).to.not.throw();
    expect(compile('b')).to.throw('Unknown attribute b').with.property('code', 'policy.invalid_document');
  });

  it('are not needed: without them the language is the same as in CPEX', () => {
    expect(compileSection('pre_invocaton: [deny]').evaluate({}).decision).to.equal('allow');
    expect(compileSection('pre_invocation: [\'taint("a")\']').evaluate({}).taints).to.deep.equal([
      ['"a"', ['session']],
    ]);
  });
});
