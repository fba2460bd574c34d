import { expect } from 'chai';
import { read } from '../support/documents.js';

describe('docs/requirements.md', () => {
  const rows = read('docs/requirements.md')
    .split('\n')
    .filter((line) => /^\| \d/.test(line))
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\||\|$/g, '').trim()));

  it('numbers its requirements without a gap', () => {
    expect(rows).to.not.be.empty;
    expect(rows.map(([number]) => Number(number))).to.deep.equal(rows.map((_, index) => index + 1));
  });

  it('has a decision for each requirement', () => {
    for (const [number, , decision] of rows) {
      expect(decision, `R${number}`).to.be.oneOf(['same', 'stricter', 'own', 'same, and stricter on request']);
    }
  });

  for (const [number, requirement, , file = '', title = ''] of rows) {
    it(`R${number}, ${requirement}: its test is there`, () => {
      const titles = titlesIn(read(`test/${file}`));
      expect(titles).to.include(title);
    });
  }
});

/** The titles of the tests in a source, as they are written there. */
function titlesIn(source: string): string[] {
  const titles = [...source.matchAll(/\b(?:it\(|title:)\s*(['"`])(.*?)\1,/gs)].map(([, , title = '']) => title);
  // a title that depends on the case is an expression
  const chosen = [...source.matchAll(/\bit\(\w+[^?\n]* \? '(.*?)' : '(.*?)',/g)].flatMap(([, ...both]) => both);
  return [...titles, ...chosen];
}
