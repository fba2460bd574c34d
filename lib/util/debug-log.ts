import process from 'node:process';
import createDebug from 'debug';

const LABELS = 'express-apl-session:labels';
const LABELS_NAMED = /(?:^|[\s,])express-apl-session:labels(?:$|[\s,])/;

const logOf = { main: createDebug('express-apl-session'), labels: createDebug(LABELS) };

/** Whether one of the two logs is on. */
export function isDebugging(): boolean {
  return logOf.main.enabled || showsLabels();
}

/** Writes a line if `DEBUG` enables `express-apl-session`. The line must not hold labels, ids of sessions or subjects. */
export function debugLine(line: string): void {
  // the format is fixed, because a `%` in the line must stay as it is
  logOf.main('%s', oneLine(line));
}

/** Writes a line with labels if `DEBUG` names `express-apl-session:labels`. A wildcard such as `*` is not enough. */
export function debugLabels(prefix: string, labels: Iterable<string>): void {
  if (showsLabels()) logOf.labels('%s', oneLine(`${prefix}: ${[...labels].join(', ')}`));
}

function showsLabels(): boolean {
  // debug.enable() also sets this variable
  return logOf.labels.enabled && LABELS_NAMED.test(process.env['DEBUG'] ?? '');
}

/** Text of the app or of a store must not begin a line that looks like one of this package. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}
