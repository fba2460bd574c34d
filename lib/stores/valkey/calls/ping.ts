import { AplSessionError } from '../../../contract/errors.js';
import { now } from '../../../util/clock.js';
import { withDeadline } from '../../../util/deadlines.js';
import type { ValkeyConfig } from '../config/valkey-config.js';
import type { ValkeyLink } from '../connection/valkey-link.js';
import { toStoreError } from '../protocol/store-error.js';
import type { ValkeyAsker } from '../protocol/valkey-wire.js';
import { labelsIn, loadCommand } from './label-commands.js';
import { closeIfUseless } from './valkey-caller.js';

/** Sends what the ping is about, and checks the answer. */
type Command = (wire: ValkeyAsker, key: string) => Promise<void>;

/**
 * Asks each primary, by default for a key that does not exist. Does not retry, and passes by the circuit breaker.
 * @returns how long the slowest primary took, in milliseconds
 */
export async function ping(link: ValkeyLink, config: ValkeyConfig, command: Command = load): Promise<number> {
  const first = await probe(link, config, `${config.keyPrefix}:ping`, command);
  const keys = link.keyOfEachPrimary?.() ?? [];
  // the hash tag leads to the slot of this key; the ACL allows only keys with the prefix
  const others = keys.map((key) => probe(link, config, `${config.keyPrefix}:{${key}}`, command));
  return Math.max(first, ...(await Promise.all(others)));
}

async function probe(
  link: ValkeyLink,
  { commandTimeoutMs }: ValkeyConfig,
  key: string,
  command: Command,
): Promise<number> {
  const startedMs = now();
  try {
    const ask = (wire: ValkeyAsker) => answered(wire, command(wire, key), commandTimeoutMs);
    await ask(await link.wire(key)).catch(async (error) => {
      const detour = link.detour?.(error, key);
      if (!detour) throw error;
      await ask(await detour.wire());
    });
  } catch (error) {
    throw toStoreError('ping', error);
  }
  return now() - startedMs;
}

function answered(wire: ValkeyAsker, reply: Promise<void>, timeoutMs: number): Promise<void> {
  const tooLate = (): AplSessionError =>
    new AplSessionError('store.timeout', `Valkey did not answer the ping within ${timeoutMs} ms.`);
  // A silent connection must be left, also in a process without calls. After one timeout that would fail calls which
  // have begun later than this ping and still have time.
  withDeadline(() => reply, 2 * timeoutMs, tooLate).catch((error) => closeIfUseless(wire, error));
  return withDeadline(() => reply, timeoutMs, tooLate);
}

async function load(wire: ValkeyAsker, key: string): Promise<void> {
  const [reply] = await Promise.all([wire.ask(loadCommand(key)), wire.stillPrimary()]);
  labelsIn(reply, Number.POSITIVE_INFINITY);
}
