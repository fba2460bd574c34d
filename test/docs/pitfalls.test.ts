import { readFileSync } from 'node:fs';
import { expect } from 'chai';

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');

describe('PITFALLS.md', () => {
  const rows = read('PITFALLS.md')
    .split('\n')
    .filter((line) => /^\| \d/.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim()));

  it('has a row for each of the 62 pitfalls', () => {
    expect(rows.map(([, number]) => Number(number))).to.deep.equal(Array.from({ length: 62 }, (_, index) => index + 1));
  });

  for (const [, number, pitfall, file = '', part = ''] of rows) {
    it(`P${number}, ${pitfall}: its test is there`, () => {
      expect(read(file)).to.contain(part);
    });
  }
});
