import { AplSessionError } from '../../../contract/errors.js';
import { now } from '../../../util/clock.js';
import { ErrorReply } from '../protocol/resp-parser.js';
import { settingsIn } from '../protocol/server-settings.js';
import { requestOf } from '../protocol/valkey-request.js';
import type { ValkeyAsker } from '../protocol/valkey-wire.js';

/**
 * With these settings the reply to a write waits for its fsync. Do not use `WAITAOF` instead: under `appendfsync everysec`,
 * Valkey 8.0 (also 8.1 and 9.1 by public reports) answers it before the fsync, and so did Redis before 8.0.
 */
const NEEDED: ReadonlyMap<string, string> = new Map([
  ['appendonly', 'yes'],
  ['appendfsync', 'always'],
  // with `yes` the server skips the fsync while a child process writes a snapshot or rewrites the file
  ['no-appendfsync-on-rewrite', 'no'],
]);
const REQUEST = requestOf(['config', 'get', ...NEEDED.keys()], ['info', 'persistence']);
/** An operator may change the settings of a running server. */
const VALID_MS = 1_000;

interface Verdict {
  readonly result: Promise<void>;
  readonly atMs: number;
}

/** Checks that a server writes each append to its disk before it answers. */
export class SyncedServer {
  readonly #verdicts = new WeakMap<ValkeyAsker, Verdict>();
  /** Connections whose server was not synced when it was asked last. */
  readonly #unsynced = new WeakSet<ValkeyAsker>();

  /**
   * Call it behind the append that it is about, in the same turn of the event loop; it then costs no round trip. Asks at
   * the first append of a connection, and again after a second.
   * @throws AplSessionError `store.not_synced`
   */
  assertSynced(wire: ValkeyAsker): Promise<void> {
    const known = this.#verdicts.get(wire);
    if (known && now() - known.atMs < VALID_MS) return known.result;
    const result = assertSettings(wire, this.#unsynced.has(wire));
    this.#verdicts.set(wire, { result, atMs: now() });
    result.then(
      () => this.#unsynced.delete(wire),
      () => {
        // the next append asks again
        this.#verdicts.delete(wire);
        this.#unsynced.add(wire);
      },
    );
    return result;
  }
}

/** @param wasUnsynced whether `appendonly` may have been switched on a moment ago */
async function assertSettings(wire: ValkeyAsker, wasUnsynced: boolean): Promise<void> {
  const [config, info] = await wire.ask(REQUEST);
  if (config instanceof ErrorReply || info instanceof ErrorReply)
    throw notSynced("its settings are not known: grant the user of the store '+config|get +info'");
  const settings = settingsIn(config);
  for (const [name, value] of NEEDED) {
    const actual = settings.get(name);
    if (actual === undefined) throw notSynced(`it does not report ${name}`);
    if (actual !== value) throw notSynced(`${name} is ${actual}; set it to ${value}`);
  }
  // A server whose appendonly is switched on while it runs writes a first file in the background. A crash before its end
  // loses everything.
  const isWriting = wasUnsynced && !/^aof_rewrite_in_progress:0/m.test(String(info));
  const isNew = !/^aof_current_size:[1-9]/m.test(String(info));
  if (isWriting || isNew) throw notSynced('its first append-only file is not complete; wait until it is written');
}

function notSynced(why: string): AplSessionError {
  return new AplSessionError(
    'store.not_synced',
    `'durability.local' is 'synced', but the server does not confirm that it writes each append to its disk: ${why}.`,
  );
}
