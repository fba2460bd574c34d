import { Command } from 'commander';
import { aplCheckCommand } from './apl-check.js';
import { aplExplainCommand } from './apl-explain.js';
import type { CliContext } from './cli-context.js';

export function aplCommand(context: CliContext): Command {
  return new Command('apl')
    .summary('check and explain policy documents')
    .description('Tools for policy documents in APL. They connect to no server.')
    .addCommand(aplCheckCommand(context))
    .addCommand(aplExplainCommand(context));
}
