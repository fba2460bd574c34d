import { expect } from 'chai';
import { prometheusMetrics } from '../../lib/metrics.js';
import { METRICS } from '../../lib/telemetry/metrics.js';
import { documentFaults } from '../support/compiler.js';
import { all, read } from '../support/documents.js';

const DOCUMENT = 'docs/metrics.md';

describe(DOCUMENT, () => {
  it('its code compiles', () => {
    expect(documentFaults(DOCUMENT)).to.equal('');
  });

  it('has a row for each metric, with its type and its attributes', () => {
    const prometheus = prometheusMetrics();
    prometheus.close();
    const types = new Map(
      all(/^# TYPE (\w+?)(?:_seconds|_bytes)?(?:_total)? (\w+)$/gm, prometheus.text()).map(([, name, type]) => [
        name,
        type,
      ]),
    );
    const rows = new Map(
      all(/^\| `(express_apl_session\.[\w.]+)` \| (\w+)(?:, (s|By))? \| ([^|]*)\|/gm, read(DOCUMENT)).map(
        ([, name, type, unit, attributes = '']) => [name, { type, unit, attributes }],
      ),
    );
    const metrics = Object.values(METRICS);
    expect([...rows.keys()]).to.have.members(metrics.map(({ name }) => name));
    for (const { name, unit, attributes } of metrics) {
      const row = rows.get(name);
      // the gauges of the store are absent without it
      expect(row?.type, name).to.equal(types.get(name.replaceAll('.', '_')) ?? 'gauge');
      expect(row?.unit ?? '', name).to.equal(unit.startsWith('{') ? '' : unit);
      for (const attribute of attributes) expect(row?.attributes, name).to.include(`\`${attribute}\``);
      if (attributes.length === 0) expect(row?.attributes.trim(), name).to.equal('');
    }
  });

  it('links lead to headings', () => {
    for (const [, file = '', anchor = ''] of all(/\]\(([\w.]*)#([\w-]+)\)/g, read(DOCUMENT))) {
      const headings = all(/^#+ (.+)$/gm, file === '' ? read(DOCUMENT) : read(`docs/${file}`)).map(([, heading = '']) =>
        heading
          .toLowerCase()
          .replace(/[^\w -]/g, '')
          .replaceAll(' ', '-'),
      );
      expect(headings, `${file}#${anchor}`).to.include(anchor);
    }
  });
});
