import { expect } from 'chai';
import { denyIf, policy, requireSession, requireThat, taint, type Violation } from '../../lib/index.js';
import { thrownBy } from '../support/eventually.js';
import { INVALID_VIOLATIONS, VIOLATION } from '../support/guard-fixture.js';

describe('options of guards', () => {
  const invalidLabels: ReadonlyArray<readonly [what: string, labels: unknown[]]> = [
    ['no label', []],
    ['an empty label', ['']],
    ['a label that is no string', [5]],
    ['an array for a label', [['a']]],
    ['a control character', ['a\u0000']],
    ['an empty second label', ['a', '']],
  ];
  for (const [what, labels] of invalidLabels) {
    it(`${what} is label.invalid`, () => {
      expect(thrownBy(() => Reflect.apply(taint, undefined, labels))).to.have.property('code', 'label.invalid');
    });
  }

  for (const [what, violation] of INVALID_VIOLATIONS) {
    it(`${what} is violation.invalid`, () => {
      expect(thrownBy(() => denyIf('a', violation as Violation))).to.have.property('code', 'violation.invalid');
    });
  }

  const invalidConditions: ReadonlyArray<readonly [what: string, condition: unknown, code: string]> = [
    ['undefined', undefined, 'label.invalid'],
    ['null', null, 'label.invalid'],
    ['a number', 5, 'label.invalid'],
    ['an empty string', '', 'label.invalid'],
    ['a bare list', ['a'], 'config.invalid'],
    ['neither any nor all', {}, 'config.invalid'],
    ['both any and all', { any: ['a'], all: ['b'] }, 'config.invalid'],
    ['an unknown key', { any: ['a'], none: ['b'] }, 'config.invalid'],
    ['any of nothing', { any: [] }, 'config.invalid'],
    ['all of nothing', { all: [] }, 'config.invalid'],
    ['any of undefined', { any: undefined }, 'config.invalid'],
    ['any of a string', { any: 'a' }, 'config.invalid'],
    ['any of what is no label', { any: ['a', ''] }, 'label.invalid'],
    ['all of what is no label', { all: [5] }, 'label.invalid'],
  ];
  for (const [what, condition, code] of invalidConditions) {
    it(`a condition that is ${what} is ${code}`, () => {
      const error = thrownBy(() => denyIf(condition as string, VIOLATION));
      expect(error).to.have.property('code', code);
    });
  }

  it('a bare list of labels: the error says how to write it', () => {
    const error = thrownBy(() => denyIf(['a'] as unknown as string, VIOLATION));
    expect(error).to.have.property('message').that.includes('{ any: [...] } or { all: [...] }');
  });

  const guards: ReadonlyArray<readonly [name: string, make: (options: object) => unknown]> = [
    ['taint', (options) => taint('a', options)],
    ['denyIf', (options) => denyIf('a', VIOLATION, options)],
    ['requireThat', (options) => requireThat(() => true, VIOLATION, options)],
    ['requireSession', (options) => requireSession(options)],
    ['policy', (options) => policy(() => ({ allow: true }), options)],
  ];
  for (const [name, make] of guards) {
    for (const [what, options] of [
      ['an unknown option', { labels: ['a'] }],
      ['an empty name', { name: '' }],
      ['a name that is no string', { name: 5 }],
    ] as const) {
      it(`${name}: ${what} is config.invalid`, () => {
        const error = thrownBy(() => make(options));
        expect(error).to.have.property('code', 'config.invalid');
        expect(error).to.have.property('message').that.includes(`${name}: `);
      });
    }
  }

  for (const [what, call, code] of [
    ['taint with an unknown scope', () => taint('a', { scope: 'request' as 'message' }), 'config.invalid'],
    ['taint with options and no label', () => Reflect.apply(taint, undefined, [{ scope: 'message' }]), 'label.invalid'],
    ['taint with options first', () => Reflect.apply(taint, undefined, [{ scope: 'message' }, 'a']), 'label.invalid'],
    ['requireThat with a label', () => requireThat('a' as unknown as () => boolean, VIOLATION), 'config.invalid'],
    ['requireThat without a violation', () => Reflect.apply(requireThat, undefined, [() => true]), 'violation.invalid'],
    ['policy without a decision', () => Reflect.apply(policy, undefined, []), 'config.invalid'],
    [
      'policy with a subject that is no function',
      () => policy(() => ({ allow: true }), { subject: 'alice' as unknown as () => string }),
      'config.invalid',
    ],
  ] as const) {
    it(`${what} is ${code}`, () => {
      expect(thrownBy(call)).to.have.property('code', code);
    });
  }
});
