import type { Results } from '../results.js';
import { addedInstructions, instructionsOf } from './instructions.js';
import { isSteady } from './measurable.js';

/** Three sentences, or fewer if something was not measured. */
export function summaryOf(results: Results): string {
  return [...instructionSentences(results), ...tripSentences(results)].join(' ');
}

function instructionSentences({ instructions: all }: Results): string[] {
  const instructions = all.filter((result) => isSteady(result.instructions));
  const bare = instructionsOf(instructions, 'bare');
  const shares = valuesOf((name) => {
    const added = addedInstructions(instructions, name);
    return bare && added && `${((added.median / bare.median) * 100).toFixed(0)} %`;
  });
  if (!bare || !shares) return [];
  const { none, clean, taint, floorClean, floorTaint, touched, saved, limit } = shares;
  return [
    `This package adds ${none} to the ${Math.round(bare.median / 1_000).toLocaleString('en')} thousand instructions of a request of bare Express without a session, ${clean} with a session, and ${taint} if the request adds a label.`,
    `express-session with connect-redis adds ${touched} (the session is touched) or ${saved} (it is saved), express-rate-limit with rate-limit-redis adds ${limit}, and the smallest hand-written middleware that sends our commands, without a check or a deadline (the *floor*), adds ${floorClean} and ${floorTaint}.`,
  ];
}

function tripSentences({ roundTrips }: Results): string[] {
  const trips = valuesOf((name) => roundTrips.find((result) => result.name === name)?.roundTrips.toString());
  if (!trips) return [];
  const { none, clean, taint, touched, saved, limit } = trips;
  return [
    `Our three requests take ${none}, ${clean} and ${taint} round trips to Valkey, those of express-session ${touched} and ${saved}, and that of express-rate-limit ${limit}.`,
  ];
}

const SUMMARISED = {
  none: 'sessionless',
  clean: 'valkey-clean',
  taint: 'valkey-taint',
  floorClean: 'floor-clean',
  floorTaint: 'floor-taint',
  touched: 'session-touched',
  saved: 'session-saved',
  limit: 'rate-limit',
} as const;

/** `undefined` if one of them is missing. */
function valuesOf(read: (name: string) => string | undefined): Record<keyof typeof SUMMARISED, string> | undefined {
  const entries = Object.entries(SUMMARISED).map(([key, name]) => [key, read(name)] as const);
  if (entries.some(([, value]) => value === undefined)) return undefined;
  return Object.fromEntries(entries) as Record<keyof typeof SUMMARISED, string>;
}
