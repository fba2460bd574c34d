import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { GATE_FAULTS } from './gate-faults.js';
import { RULES_FAULTS } from './rules-faults.js';
import { SESSION_FAULTS } from './session-faults.js';

describe('planted faults', () => {
  it('each one fits its file exactly once', () => {
    const misfits = [...GATE_FAULTS, ...SESSION_FAULTS, ...RULES_FAULTS].filter(({ file, from }) => {
      const source = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
      return source.split(from).length !== 2;
    });
    expect(misfits.map(({ name }) => name)).to.deep.equal([]);
  });
});
