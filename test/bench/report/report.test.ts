import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Results } from '../results.js';
import { barChart } from './chart.js';
import { drawCharts } from './charts.js';
import { writeDocument } from './document.js';

const docs = (name: string): string => fileURLToPath(new URL(`../../../docs/${name}`, import.meta.url));

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

  it('docs/benchmarks.md and its charts hold the figures of docs/benchmarks/results.json', () => {
    const results = JSON.parse(readFileSync(docs('benchmarks/results.json'), 'utf8')) as Results;
    expect(readFileSync(docs('benchmarks.md'), 'utf8')).to.equal(writeDocument(results));
    for (const [name, svg] of drawCharts(results)) {
      expect(readFileSync(docs(`benchmarks/${name}`), 'utf8')).to.equal(svg);
    }
  });
});
