import { withDeadline } from '../../../util/deadlines.js';
import type { ServerAddress } from '../config/server-list.js';
import { askWithin } from '../connection/ask-within.js';
import { ValkeyConnection } from '../connection/valkey-connection.js';
import { DialError, type ValkeySource } from '../connection/valkey-source.js';
import { resultOf } from '../protocol/reply-error.js';
import type { Reply } from '../protocol/resp-parser.js';
import { type ConnectionFailure, connectionFailureOf } from '../protocol/store-error.js';
import { requestOf, type ValkeyRequest } from '../protocol/valkey-request.js';
import type { ValkeyAsker } from '../protocol/valkey-wire.js';

/** One Sentinel with its own connection, so that a Sentinel that hangs delays only its own answer. */
export class Sentinel {
  readonly #connection: ValkeyConnection;
  readonly #question: ValkeyRequest;
  readonly #timeoutMs: number;
  /** Resolves when the first attempt to connect has succeeded or failed. */
  readonly #firstAttempt: Promise<void>;

  /** @param timeoutMs how long an answer may take; the first attempt to connect may take the same time */
  constructor(source: ValkeySource, primaryName: string, timeoutMs: number) {
    let onAttempt = (): void => {};
    this.#firstAttempt = new Promise((resolve) => {
      onAttempt = resolve;
    });
    this.#connection = new ValkeyConnection(source, timeoutMs, { onConnected: onAttempt, onTrouble: onAttempt });
    this.#question = requestOf(['sentinel', 'get-master-addr-by-name', primaryName]);
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Returns the address of the primary. Rejects with a DialError. Waits for the first attempt to connect, but not for
   * later ones, which run in the background.
   */
  async primary(): Promise<ServerAddress> {
    this.#connection.start();
    const tooLate = (): DialError => sentinelError(unavailable('a Sentinel did not answer in time'));
    await withDeadline(() => this.#firstAttempt, this.#timeoutMs, tooLate);
    const wire = this.#connection.wireNow();
    if (!wire) throw sentinelError(this.#connection.failure ?? unavailable('the connection was closed'));
    return addressIn(await this.#ask(wire));
  }

  /** Like `primary`, but returns `undefined` at once while there is no connection. */
  async primaryNow(): Promise<ServerAddress | undefined> {
    return this.#connection.wireNow() && this.primary();
  }

  close(): void {
    this.#connection.close();
  }

  async #ask(wire: ValkeyAsker): Promise<Reply | undefined> {
    try {
      const [reply] = await askWithin(wire, this.#question, this.#timeoutMs);
      resultOf(reply);
      return reply;
    } catch (error) {
      throw sentinelError(connectionFailureOf(error));
    }
  }
}

function addressIn(reply: Reply | undefined): ServerAddress {
  if (reply === null) throw sentinelError(unavailable("a Sentinel does not know the 'name' of the primary"));
  const [host, text] = Array.isArray(reply) ? reply : [];
  const port = Number(text);
  if (typeof host !== 'string' || host === '' || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw sentinelError(unavailable('the answer of a Sentinel is not an address'));
  }
  return { host, port };
}

function unavailable(reason: string): ConnectionFailure {
  return { code: 'store.unavailable', reason };
}

/** Faults that an operator must correct, in the words of the options. */
const REASONS: Partial<Record<ConnectionFailure['code'], string>> = {
  'store.login_failed': "a Sentinel refused the login; correct 'sentinelUsername' and 'sentinelPassword'",
  'store.not_permitted':
    'the ACL of a Sentinel forbids SENTINEL GET-MASTER-ADDR-BY-NAME; grant +sentinel|get-master-addr-by-name',
};

function sentinelError({ code, reason }: ConnectionFailure): DialError {
  return new DialError({ code, reason: REASONS[code] ?? `no Sentinel named the primary (${reason})` });
}
