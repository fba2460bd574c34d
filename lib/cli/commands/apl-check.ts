import { Command } from 'commander';
import type { AsyncPolicyDocument } from '../../apl/document.js';
import type { EntityType } from '../../apl/document-layers.js';
import { PolicyDocumentError } from '../../apl/policy-document-error.js';
import type { PartName, SectionPart } from '../../apl/section.js';
import { paintFor } from '../terminal/paint.js';
import { tableLines } from '../terminal/table.js';
import { EXIT } from '../terminal/terminal.js';
import { addDocumentFlags, compileText, type DocumentFlags, readText } from './apl-document.js';
import { type CliContext, printJson } from './cli-context.js';

interface CheckFlags extends DocumentFlags {
  readonly json?: true;
}

export function aplCheckCommand(context: CliContext): Command {
  return addDocumentFlags(new Command('check').argument('<file>', 'a document of CPEX, in YAML or JSON'))
    .summary('check a policy document')
    .description(
      'Compiles a document as aplPolicies() does, and shows its routes with the requests that get them, or what is wrong and where.',
    )
    .optionsGroup('Output:')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit codes: 0 valid, 2 not valid, 3 a wrong call.')
    .action((file: string, flags: CheckFlags) => runCheck(context, file, flags));
}

function runCheck(context: CliContext, file: string, flags: CheckFlags): void {
  const text = readText(file);
  try {
    const routes = routesIn(compileText(text, file, flags));
    if (flags.json) printJson(context, { valid: true, routes });
    else context.terminal.out.write(routesText(routes, context));
  } catch (error) {
    if (!(error instanceof PolicyDocumentError)) throw error;
    context.setExitCode(EXIT.failure);
    const { message, path, position, offending, fix } = error;
    if (flags.json) printJson(context, { valid: false, message, path, ...position, offending, fix });
    else context.terminal.out.write(faultText(error, text, context));
  }
}

/** The parts by their names in documents. */
const PART_NAMES: Readonly<Record<PartName, string>> = {
  args: 'args',
  preInvocation: 'pre_invocation',
  result: 'result',
  postInvocation: 'post_invocation',
};

interface RouteSummary {
  readonly route: string;
  /** Which parts have rules. */
  readonly parts: readonly string[];
  /** The attributes that the rules read. */
  readonly reads: readonly string[];
  /** Which requests get these rules. */
  readonly requests: string;
}

/** How a request gets the rules of a route, by the type of the route. */
const REQUESTS: Readonly<Record<EntityType, string>> = {
  tool: 'MCP, or option tool',
  resource: 'MCP',
  prompt: 'MCP',
  llm: 'option llm',
};
const ALL_OTHERS = 'all others';

/** @param key `tool:name`, or `global.apl` */
function requestsOf(key: string): string {
  const [type = ''] = key.split(':', 1);
  return Object.hasOwn(REQUESTS, type) ? REQUESTS[type as EntityType] : ALL_OTHERS;
}

const TOOL_NOTE =
  "Without the option tool of aplPolicies(), a request that is no call of MCP gets only global.apl. The guard apl(policies, { tool: '...' }) on a route runs the rules of a tool as well.";

function routesIn({ global, routes }: AsyncPolicyDocument): RouteSummary[] {
  return [global, ...routes.values()].map(({ key, parts }) => {
    const present = (Object.entries(parts) as [PartName, SectionPart][]).filter(([, part]) => !part.isEmpty);
    return {
      route: key,
      parts: present.map(([name]) => PART_NAMES[name]),
      reads: [...new Set(present.flatMap(([, part]) => part.reads))].sort(),
      requests: requestsOf(key),
    };
  });
}

function routesText(routes: readonly RouteSummary[], { terminal }: CliContext): string {
  const paint = paintFor(terminal.out, terminal.env);
  const rows = routes.map(({ route, parts, reads, requests }) => [
    { text: route },
    { text: requests, paint: (text: string) => paint('quiet', text) },
    { text: parts.join(', ') || 'no rules', paint: (text: string) => paint('quiet', text) },
    { text: reads.join(', ') },
  ]);
  const note = routes.some(({ requests }) => requests === REQUESTS.tool) ? `\n${paint('quiet', TOOL_NOTE)}\n` : '';
  return `${paint('good', 'valid')}\n${tableLines(rows).join('\n')}\n${note}`;
}

/** The message, and the line of the document with a mark below the fault. */
function faultText(error: PolicyDocumentError, text: string, { terminal }: CliContext): string {
  const paint = paintFor(terminal.out, terminal.env);
  const message = `${paint('bad', 'not valid')} ${error.message}\n`;
  const { line, column } = error.position ?? {};
  const source = line === undefined ? undefined : text.split(/\r\n|\r|\n/)[line - 1];
  if (line === undefined || column === undefined || source === undefined) return message;
  // a tab before the mark stays a tab, so that the mark is below the fault
  const margin = source.slice(0, column - 1).replace(/[^\t]/g, ' ');
  const number = `${line}`;
  const bar = paint('quiet', '|');
  return `${message}  ${paint('quiet', number)} ${bar} ${source}\n  ${' '.repeat(number.length)} ${bar} ${margin}${paint('bad', '^')}\n`;
}
