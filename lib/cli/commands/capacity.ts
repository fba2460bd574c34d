import { Command, InvalidArgumentError } from 'commander';
import { MAX_LABEL_BYTES } from '../../labels/label.js';
import { type Capacity, measureCapacity } from '../capacity/capacity.js';
import { Servers } from '../target/servers.js';
import { targetFrom } from '../target/target.js';
import { addTargetFlags, positiveInteger, type TargetFlags } from '../target/target-flags.js';
import { type Paint, paintFor } from '../terminal/paint.js';
import { ProgressBar } from '../terminal/progress-bar.js';
import { tableLines } from '../terminal/table.js';
import { type CliContext, printJson } from './cli-context.js';

interface CapacityFlags extends TargetFlags {
  readonly labels: readonly number[];
  readonly labelBytes: number;
  readonly keys: number;
  readonly json?: true;
}

const MAX_LABELS = 100_000;
const SHORTEST_LABEL = 6;

export function capacityCommand(context: CliContext): Command {
  return addTargetFlags(new Command('capacity'))
    .summary('measure how many sessions fit into the memory of a server')
    .description(
      'Writes probe keys, asks the server for their size (MEMORY USAGE), and removes them. Needs the rights +sadd +expire +multi +exec +memory|usage +del.',
    )
    .optionsGroup('Sessions:')
    .option('--labels <counts>', 'how many labels a session has, separated by commas', labelCounts, [1, 5, 50])
    .option('--label-bytes <bytes>', `the length of a label, ${SHORTEST_LABEL} to ${MAX_LABEL_BYTES}`, labelLength, 12)
    .option('--keys <number>', 'how many keys to write for each number of labels', positiveInteger, 100)
    .optionsGroup('Output:')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit codes: 0 measured, 2 a failure, 3 a wrong call, 130 interrupted.')
    .action((endpoint: string | undefined, flags: CapacityFlags) => runCapacity(context, endpoint, flags));
}

async function runCapacity(context: CliContext, endpoint: string | undefined, flags: CapacityFlags): Promise<void> {
  const { terminal } = context;
  const { labels: labelCounts, labelBytes, keys } = flags;
  const servers = new Servers(await targetFrom(endpoint, flags, terminal));
  const signal = context.interruption();
  const bar = new ProgressBar(terminal.err, labelCounts.length * keys);
  try {
    const onProgress = (done: number): void => bar.advance(done);
    const capacity = await measureCapacity(servers, { labelCounts, labelBytes, keys, signal, onProgress });
    bar.clear();
    if (flags.json) printJson(context, { labelBytes, ...capacity });
    else terminal.out.write(textOf(capacity, labelBytes, paintFor(terminal.out, terminal.env)));
  } finally {
    bar.clear();
    servers.close();
  }
}

function textOf({ sizes, probeKeys }: Capacity, labelBytes: number, paint: Paint): string {
  const strong = (text: string): string => paint('strong', text);
  const header = ['labels', 'MEMORY USAGE', 'bytes a session', 'sessions per GiB'];
  const rows = sizes.map(({ labels, memoryUsageBytes, bytesPerSession, sessionsPerGiB }) =>
    [labels, memoryUsageBytes, bytesPerSession, sessionsPerGiB].map((value) => ({ text: value.toLocaleString('en') })),
  );
  const table = tableLines([header.map((text) => ({ text, paint: strong })), ...rows], {
    right: new Set([0, 1, 2, 3]),
  });
  const note = `A label has ${labelBytes} bytes. Bytes a session are MEMORY USAGE and 64 bytes for the tables of the server.`;
  const left =
    probeKeys === 'removed'
      ? 'The probe keys were removed.'
      : 'The user has no right to delete the probe keys (+del). They expire within 60 s.';
  return [...table, '', paint('quiet', note), paint('quiet', left), ''].join('\n');
}

function labelCounts(text: string): number[] {
  const counts = text.split(',').map((count) => positiveInteger(count.trim()));
  if (counts.every((count) => count <= MAX_LABELS)) return counts;
  throw new InvalidArgumentError(`Give numbers up to ${MAX_LABELS}.`);
}

function labelLength(text: string): number {
  const length = positiveInteger(text);
  if (length >= SHORTEST_LABEL && length <= MAX_LABEL_BYTES) return length;
  throw new InvalidArgumentError(`Give a number from ${SHORTEST_LABEL} to ${MAX_LABEL_BYTES}.`);
}
