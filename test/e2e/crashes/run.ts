/**
 * `npm run crashes`: crashes and failovers of Valkey under load, and what became of the acknowledged labels. Prints the table of
 * docs/high-availability.md. It needs `valkey-server` and a C compiler (`cc`).
 *
 *   npm run crashes -- FLUSH         only the events whose title contains this text
 *   npm run crashes -- --write       also writes the table into the document
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { ROOT } from '../../support/documents.js';
import type { CrashEvent } from './crash-event.js';
import { CRASH_EVENTS } from './crash-events.js';
import { cellOf, holds, tableOf } from './crash-table.js';
import { FEATURE_SETS } from './feature-sets.js';
import { Lab } from './lab.js';
import { type Outcome, runTrial } from './trial.js';

/** How many labels must be acknowledged before the event. */
const LABELS = 1_000;
const DOCUMENT = new URL('docs/high-availability.md', ROOT);
const TABLE = /^\| Event \| no memory .*?(?=\n\n)/ms;

async function runEvent(lab: Lab, event: CrashEvent): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const features of FEATURE_SETS) {
    const outcome = await runTrial(lab, event, features, LABELS);
    const claim = event.claims[features.title];
    console.log(`${event.title}; ${features.title}: ${cellOf(outcome)}`);
    if (!holds(claim, outcome)) {
      console.log(`  This is wrong: the claim is "${claim}".`);
      process.exitCode = 1;
    }
    outcomes.push(outcome);
  }
  return outcomes;
}

const args = process.argv.slice(2);
const words = args.filter((arg) => arg !== '--write');
const chosen = CRASH_EVENTS.filter(({ title }) => words.every((word) => title.includes(word)));
if (chosen.length === 0) throw new Error(`No event has a title with ${words.join(' and ')}.`);
process.env['VALKEY_TEST_SOURCE'] = 'binary';
const lab = await Lab.open();
try {
  const rows: Array<readonly [CrashEvent, readonly Outcome[]]> = [];
  for (const event of chosen) rows.push([event, await runEvent(lab, event)]);
  console.log(`\n${tableOf(rows)}`);
  const isWhole = chosen.length === CRASH_EVENTS.length && process.exitCode === undefined;
  if (args.includes('--write') && isWhole) {
    const document = readFileSync(DOCUMENT, 'utf8');
    writeFileSync(
      DOCUMENT,
      document.replace(TABLE, () => tableOf(rows)),
    );
  }
} finally {
  await lab.close();
}
