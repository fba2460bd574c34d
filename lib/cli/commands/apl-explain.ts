import { Command, Option } from 'commander';
import type { Attributes } from '../../apl/attributes.js';
import { explain } from '../../apl/explain.js';
import { AplSessionError } from '../../contract/errors.js';
import { EXIT, UsageError } from '../terminal/terminal.js';
import { addDocumentFlags, compileText, type DocumentFlags, readText } from './apl-document.js';
import { type CliContext, printJson } from './cli-context.js';

interface ExplainFlags extends DocumentFlags {
  readonly with: string;
  readonly tool?: string;
  readonly scope?: string;
  readonly phase?: 'pre' | 'post';
  readonly json?: true;
}

export function aplExplainCommand(context: CliContext): Command {
  return addDocumentFlags(new Command('explain').argument('<file>', 'a document of CPEX, in YAML or JSON'))
    .summary('show which rules decide about a request')
    .description(
      'Evaluates a document on attributes from a file, and shows the rules that ran and the conditions that held.',
    )
    .optionsGroup('The request:')
    .requiredOption('--with <file>', 'the attributes: JSON such as {"security.labels": ["secret"], "role.hr": true}')
    .option('--tool <name>', 'the tool that is called; without it, the rules for plain HTTP are used')
    .option('--scope <name>', 'the scope of the route')
    .addOption(new Option('--phase <name>', 'only the rules before or after the handler').choices(['pre', 'post']))
    .optionsGroup('Output:')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit codes: 0 allowed, 1 denied, 2 the document is not valid, 3 a wrong call.')
    .action((file: string, flags: ExplainFlags) => runExplain(context, file, flags));
}

async function runExplain(context: CliContext, file: string, flags: ExplainFlags): Promise<void> {
  const policies = compileText(readText(file), file, flags);
  const attributes = attributesFrom(flags.with);
  const { tool, scope, phase } = flags;
  if (tool === undefined && scope !== undefined) throw new UsageError('--scope needs --tool.');
  const section = tool === undefined ? policies.global : policies.sectionFor('tool', tool, scope);
  const { decision, rules, text } = await explained(section, { 'route.key': section.key, ...attributes }, phase);
  if (decision.decision === 'deny') context.setExitCode(EXIT.warning);
  const note = tool === undefined || policies.routes.has(section.key) ? undefined : UNNAMED;
  if (flags.json) printJson(context, { route: section.key, ...(note && { note }), decision, rules });
  else context.terminal.out.write(`${section.key}\n${note === undefined ? '' : `${note}\n`}${text}\n`);
}

/** A misspelt name would look like a tool that may do everything. */
const UNNAMED = 'The document has no route for this tool: only the rules of global and of global.defaults decide.';

type ExplainedSection = Parameters<typeof explain>[0];

async function explained(section: ExplainedSection, attributes: Attributes, phase: 'pre' | 'post' | undefined) {
  try {
    return await explain(section, attributes, phase === undefined ? {} : { phase });
  } catch (error) {
    if (error instanceof AplSessionError && error.code === 'policy.error') throw new UsageError(error.message);
    throw error;
  }
}

/** @throws UsageError */
function attributesFrom(file: string): Attributes {
  let value: unknown;
  try {
    value = JSON.parse(readText(file));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError('The file in --with is not JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError('The file in --with must hold an object of attributes.');
  }
  return value as Attributes;
}
