import type { Claim, CrashEvent } from './crash-event.js';
import { FEATURE_SETS } from './feature-sets.js';
import type { Outcome } from './trial.js';

/** The numbers of a cell. */
export type Counts = Pick<Outcome, 'acknowledged' | 'lost' | 'healed' | 'refused'>;

/** The text of a cell: what became of the labels that the store did not have after the event. */
export function cellOf(outcome: Outcome): string {
  const { acknowledged, missing, lost, healed, refused, alarmed, codes } = outcome;
  if (acknowledged === 0) return ['no append succeeds:', ...codes.map((code) => `\`${code}\``)].join(' ');
  if (missing === 0) return `0 of ${acknowledged}`;
  // the document says that the code is this one
  const others = codes.filter((code) => code !== 'session.unknown');
  const reasons = others.length > 0 ? ` (${others.join(', ')})` : '';
  const detected = Math.min(healed, alarmed);
  const parts = [
    lost > 0 ? `**${lost} lost**` : '',
    healed > 0 ? `${healed} healed` : '',
    detected > 0 ? `${detected} detected` : '',
    refused > 0 ? `${refused} refused${reasons}` : '',
  ];
  return `${missing} of ${acknowledged}: ${parts.filter((part) => part !== '').join(', ')}`;
}

/** Reads the text of a cell. */
export function countsIn(cell: string): Counts {
  const count = (pattern: RegExp): number => Number(pattern.exec(cell)?.[1] ?? 0);
  return {
    acknowledged: count(/^\d+ of (\d+)/),
    lost: count(/(\d+) lost/),
    healed: count(/(\d+) healed/),
    refused: count(/(\d+) refused/),
  };
}

/** Whether an outcome shows what the row and the column claim. */
export function holds(claim: Claim, { acknowledged, lost, healed, refused }: Counts): boolean {
  const missing = lost + healed + refused;
  if (claim === 'not acknowledged' || acknowledged === 0) return claim === 'not acknowledged' && acknowledged === 0;
  const rules: Readonly<Record<Exclude<Claim, 'not acknowledged'>, boolean>> = {
    kept: missing === 0,
    lost: lost > 0,
    healed: healed > 0 && healed === missing,
    refused: refused > 0 && refused === missing,
    'nothing lost': lost === 0,
    'may be lost': true,
  };
  return rules[claim];
}

/** The table as Markdown. */
export function tableOf(rows: ReadonlyArray<readonly [CrashEvent, readonly Outcome[]]>): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const titles = FEATURE_SETS.map(({ title }) => title);
  return [
    line(['Event', ...titles]),
    line(['Event', ...titles].map(() => '---')),
    ...rows.map(([{ title }, outcomes]) => line([title, ...outcomes.map(cellOf)])),
  ].join('\n');
}
