import type { Summary } from '../statistics.js';

export function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Nothing if there are no rows. */
export function section(heading: string, rows: readonly unknown[], ...content: readonly string[]): string[] {
  return rows.length === 0 ? [] : [`## ${heading}`, ...content];
}

export function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

export function withInterval({ median, low, high }: Summary, digits: number): string {
  return `${median.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;
}
