import type { Paint, Tone } from '../terminal/paint.js';
import { tableLines } from '../terminal/table.js';
import { EXIT } from '../terminal/terminal.js';
import type { Finding } from './finding.js';

const TONES: Readonly<Record<Finding['status'], Tone>> = {
  ok: 'good',
  unknown: 'doubtful',
  warning: 'doubtful',
  failure: 'bad',
};

/** The worst status; what is not known is no better than a warning. */
export function worstOf(findings: readonly Finding[]): 'ok' | 'warning' | 'failure' {
  const statuses = new Set(findings.map(({ status }) => status));
  if (statuses.has('failure')) return 'failure';
  return statuses.has('warning') || statuses.has('unknown') ? 'warning' : 'ok';
}

export function exitCodeOf(findings: readonly Finding[]): number {
  return EXIT[worstOf(findings)];
}

/** A table for each server, with the fix under each finding that needs one. */
export function reportText(findings: readonly Finding[], paint: Paint): string {
  const rows = tableLines(
    findings.map(({ status, name, detail }) => [
      { text: status, paint: (text) => paint(TONES[status], text) },
      { text: name },
      { text: detail },
    ]),
  );
  const indent = ' '.repeat(11);
  const lines: string[] = [];
  for (const [index, { server, fix }] of findings.entries()) {
    if (server !== findings[index - 1]?.server) lines.push(...(index > 0 ? [''] : []), paint('strong', server));
    lines.push(rows[index] ?? '');
    if (fix !== undefined) lines.push(indent + paint('quiet', fix));
  }
  return [...lines, '', summaryOf(findings, paint), ''].join('\n');
}

function summaryOf(findings: readonly Finding[], paint: Paint): string {
  const count = (status: Finding['status']): number => findings.filter((each) => each.status === status).length;
  const worst = worstOf(findings);
  const text = `${count('ok')} ok, ${count('unknown')} unknown, ${count('warning')} warnings, ${count('failure')} failures`;
  return paint(TONES[worst], text);
}
