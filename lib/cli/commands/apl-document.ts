import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { type AsyncPolicyDocument, compileDocument, type DocumentOptions } from '../../apl/document.js';
import { UsageError } from '../terminal/terminal.js';

/** What the app passes to `aplPolicies()`, and the command line cannot know. */
export interface DocumentFlags {
  readonly attribute?: readonly string[];
  readonly plugin?: readonly string[];
  readonly decisionPoint?: readonly string[];
  readonly ignoreKey?: readonly string[];
  readonly absentDenies?: true;
}

const notHere = (): never => {
  throw new Error('Functions of the app do not run on the command line.');
};
const namesToFunctions = (names: readonly string[] = []) =>
  Object.fromEntries(names.map((name) => [name, notHere] as const));

export function addDocumentFlags(command: Command): Command {
  return command
    .optionsGroup('The options of the app:')
    .option('--attribute <names...>', 'attributes that the app sets, such as tenant or data.*')
    .option('--plugin <names...>', 'the plugins of the app')
    .option('--decision-point <dialects...>', 'the decision points of the app, such as cel or cedar')
    .option('--ignore-key <keys...>', 'keys that only a gateway reads, such as plugins')
    .option('--absent-denies', "the app sets absent: 'deny'");
}

/** @throws UsageError if the file cannot be read */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`The file ${basename(file)} cannot be read: ${(error as NodeJS.ErrnoException).code}.`);
  }
}

/** @throws PolicyDocumentError, AplSessionError `config.invalid` */
export function compileText(text: string, file: string, flags: DocumentFlags): AsyncPolicyDocument {
  const { attribute = [], plugin, decisionPoint, ignoreKey = [], absentDenies } = flags;
  return compileDocument(text, {
    file: basename(file),
    // the guards set it; the language of CPEX does not have it
    attributes: ['http.response_status', ...attribute],
    plugins: namesToFunctions(plugin),
    decisionPoints: namesToFunctions(decisionPoint),
    ignoreKeys: ignoreKey as NonNullable<DocumentOptions['ignoreKeys']>,
    ...(absentDenies && { absent: 'deny' as const }),
  });
}
