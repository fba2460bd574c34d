import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Results } from '../results.js';
import { barChart } from './chart.js';
import { drawCharts } from './charts.js';
import { writeDocument } from './document.js';
import { figure, instructionsOf, resultsWith, throughputOf } from './results-fixture.js';
import { writeScalePage } from './scale-page.js';

const docs = (name: string): string => fileURLToPath(new URL(`../../../docs/${name}`, import.meta.url));

/** The text below a heading. */
function sectionOf(document: string, heading: string): string {
  return document.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
}

describe('reports of the benchmarks', () => {
  it('a chart has a bar for each value, in proportion, and escapes labels', () => {
    const svg = barChart('a < b', 'µs', [
      { label: 'one & two', value: 10, kind: 'ours' },
      { label: 'half', value: 5, kind: 'floor' },
    ]);
    const lengths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
    expect(lengths).to.have.length(2);
    expect(lengths[1]).to.equal((lengths[0] ?? 0) / 2);
    expect(svg).to.include('one &amp; two').and.to.include('a &lt; b');
    expect(svg).to.include('prefers-color-scheme: dark');
  });

  it('the documents and the chart hold the figures of docs/benchmarks/results.json', () => {
    const results = JSON.parse(readFileSync(docs('benchmarks/results.json'), 'utf8')) as Results;
    expect(readFileSync(docs('benchmarks.md'), 'utf8')).to.equal(writeDocument(results));
    expect(readFileSync(docs('scale.md'), 'utf8')).to.equal(writeScalePage(results));
    for (const [name, svg] of drawCharts(results)) {
      expect(readFileSync(docs(`benchmarks/${name}`), 'utf8')).to.equal(svg);
    }
  });

  it('a figure whose interval is too wide is listed once, and in no table', () => {
    const saturation = [
      throughputOf('a narrow one', figure(0.9, 0.88, 0.92)),
      throughputOf('a wide one', figure(0.9, 0.8, 1)),
      throughputOf('an idle one', figure(0.9), 0.5),
      throughputOf('a short one', { ...figure(0.9), rounds: 2 }),
    ];
    const document = writeDocument(resultsWith({ saturation }));
    expect(sectionOf(document, 'Throughput and CPU time')).to.include('| a narrow one | 0.900 (0.880 to 0.920) |');
    for (const title of ['a wide one', 'an idle one', 'a short one']) {
      expect(document.split(title)).to.have.length(2);
      expect(sectionOf(document, 'Not measurable here')).to.include(title);
    }
  });

  it('the summary and the chart have the added instructions and the round trips', () => {
    const counts = { bare: 400, sessionless: 420, 'valkey-clean': 460, 'valkey-taint': 600, 'floor-clean': 440 };
    const peers = { 'floor-taint': 500, 'session-touched': 700, 'session-saved': 800, 'rate-limit': 520 };
    const instructions = Object.entries({ ...counts, ...peers }).map(([name, thousand]) =>
      instructionsOf(name, name, figure(thousand * 1_000)),
    );
    const roundTrips = instructions.map(({ name, title }, n) => ({ name, title, roundTrips: n, commands: {} }));
    const results = resultsWith({ instructions, roundTrips });
    const document = writeDocument(results);
    expect(document).to.include('adds 5 % to the 400 thousand instructions of a request of bare Express');
    expect(document).to.include('15 % with a session, and 50 % if the request adds a label.');
    expect(document).to.include('adds 75 % (the session is touched) or 100 % (it is saved)');
    expect(document).to.include('(the *floor*), adds 10 % and 25 %.');
    expect(document).to.include('take 1, 2 and 3 round trips to Valkey, those of express-session 6 and 7');
    expect(drawCharts(results).get('added-instructions.svg')).to.include('session-touched (6)').and.include('300.0 ');
  });

  it('counts that differ are neither in the summary nor in the chart', () => {
    const counts = { bare: figure(400), 'valkey-clean': figure(460, 400, 520), 'floor-clean': figure(440) };
    const instructions = Object.entries(counts).map(([name, count]) => instructionsOf(name, name, count));
    const results = resultsWith({ instructions });
    expect(drawCharts(results).get('added-instructions.svg')).to.include('floor-clean').and.not.include('valkey-clean');
    expect(sectionOf(writeDocument(results), 'Instructions')).to.not.include('valkey-clean');
  });

  it('without valgrind the page says so, and names no chart', () => {
    const document = writeDocument(resultsWith({}));
    expect(sectionOf(document, 'Not measurable here')).to.include('This needs valgrind.');
    expect(document).to.not.include('.svg');
  });
});
