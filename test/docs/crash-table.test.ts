import { expect } from 'chai';
import { CRASH_EVENTS } from '../e2e/crashes/crash-events.js';
import { countsIn, holds } from '../e2e/crashes/crash-table.js';
import { FEATURE_SETS } from '../e2e/crashes/feature-sets.js';
import { all, only, read } from '../support/documents.js';

const SECTION = only(
  /^## What is lost, and whether anything notices\n(.*?)(?=^## |(?![\s\S]))/ms,
  read('docs/high-availability.md'),
);
const TITLES: readonly string[] = FEATURE_SETS.map(({ title }) => title);

/** The cells of the lines that follow a header. */
function rowsBelow(header: string): string[][] {
  const lines = SECTION.slice(SECTION.indexOf(header)).split('\n\n')[0]?.split('\n') ?? [];
  return lines.slice(2).map((line) => line.slice(2, -2).split(' | '));
}

describe('docs/high-availability.md: the table of what is lost', () => {
  const header = `| Event | ${TITLES.join(' | ')} |`;
  const rows = rowsBelow(header);

  it('has the rows and the columns of the program that prints it', () => {
    expect(SECTION).to.include(header);
    expect(rows.map(([title]) => title)).to.deep.equal(CRASH_EVENTS.map(({ title }) => title));
    expect(rowsBelow('| Column | Options |').map(([title]) => title)).to.deep.equal(TITLES);
    const [, script = ''] = /`npm run (\S+)`/.exec(SECTION) ?? [];
    expect(JSON.parse(read('package.json')).scripts).to.include({ [script]: 'tsx test/e2e/crashes/run.ts' });
  });

  for (const [column, title] of TITLES.entries()) {
    it(`column "${title}": each cell shows what the program claims`, () => {
      for (const [row, { title: event, claims }] of CRASH_EVENTS.entries()) {
        const cell = rows[row]?.[column + 1] ?? '';
        const claim = claims[FEATURE_SETS[column]?.title ?? 'no memory'];
        expect(holds(claim, countsIn(cell)), `${event}: "${claim}" is claimed, but "${cell}" is shown`).to.equal(true);
      }
    });
  }

  it('G5: with all features no cell has a lost label', () => {
    const cells = rows.map((cellsOfRow) => cellsOfRow.at(-1) ?? '');
    expect(all(/\d+ lost/g, cells.join('\n'))).to.have.length(0);
    expect(cells).to.have.length(CRASH_EVENTS.length);
  });
});
