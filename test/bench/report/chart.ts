/** One bar. */
export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly kind: 'ours' | 'floor' | 'other';
}

const WIDTH = 800;
const LABEL_WIDTH = 320;
const VALUE_WIDTH = 110;
const ROW = 26;
const TOP = 44;

/** Horizontal bars as an SVG that reads on light and on dark ground. */
export function barChart(title: string, unit: string, bars: readonly Bar[]): string {
  const height = TOP + bars.length * ROW + 12;
  const largest = Math.max(1e-9, ...bars.map(({ value }) => value));
  const scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / largest;
  const rows = bars.map(({ label, value, kind }, index) => {
    const y = TOP + index * ROW;
    const length = Math.max(1, value * scale);
    return [
      `  <text x="${LABEL_WIDTH - 10}" y="${y + 16}" text-anchor="end">${escaped(label)}</text>`,
      `  <rect class="${kind}" x="${LABEL_WIDTH}" y="${y + 3}" width="${length.toFixed(1)}" height="${ROW - 8}" rx="2"/>`,
      `  <text x="${(LABEL_WIDTH + length + 6).toFixed(1)}" y="${y + 16}">${value.toFixed(1)} ${escaped(unit)}</text>`,
    ].join('\n');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}">
  <style>
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .title { font-weight: 600; font-size: 15px; }
    .ours { fill: #0969da; } .floor { fill: #57606a; } .other { fill: #bf8700; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .ours { fill: #58a6ff; } .floor { fill: #8b949e; } .other { fill: #d29922; }
    }
  </style>
  <text class="title" x="10" y="24">${escaped(title)}</text>
${rows.join('\n')}
</svg>
`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
