import { type Command, Option } from 'commander';
import type { SessionKeying } from '../../session/session-keying.js';
import { sessionIdFor } from '../../testing/test-session.js';
import { UsageError } from '../terminal/terminal.js';

/** The session, by its id or by what `subjectSession()` makes the id of. */
export interface SessionFlags {
  readonly session?: string;
  readonly subject?: string;
  readonly sessionId?: string;
  readonly claim?: string;
  readonly caller?: string;
  readonly gateway?: string;
  readonly keying?: SessionKeying;
}

export function addSessionFlags(command: Command): Command {
  return command
    .optionsGroup('The session, by its id or by what subjectSession() makes the id of:')
    .option('--session <id>', 'the id: req.security.sessionId')
    .option('--subject <name>', 'what the accessor subject returns')
    .option('--session-id <id>', 'what the accessor sessionId returns')
    .option('--claim <text>', 'what the accessor claim returns')
    .option('--caller <name>', 'what the accessor caller returns')
    .option('--gateway <name>', 'what the accessor gateway returns')
    .addOption(new Option('--keying <kind>', 'the keying of subjectSession()').choices(['cpex', 'strict']));
}

/** @throws UsageError, or the errors of `sessionIdFor` */
export function sessionFrom({ session, subject, sessionId, claim, caller, gateway, keying }: SessionFlags): string {
  const isDerived = [sessionId, claim, caller, gateway, keying].some((value) => value !== undefined);
  if ((session === undefined) === (subject === undefined) || (subject === undefined && isDerived)) {
    throw new UsageError('Give --session, or --subject with --session-id, --claim, --caller, --gateway and --keying.');
  }
  if (subject === undefined) return sessionIdFor(session ?? '');
  return sessionIdFor({ subject, sessionId, claim, caller, gateway, ...(keying && { keying }) });
}
