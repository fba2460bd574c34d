import type { Socket } from 'node:net';
import { clearInterval, setInterval } from '../../../util/clock.js';
import { hostAndPort, type ServerAddress } from '../config/server-list.js';
import type { SentinelTarget } from '../config/valkey-target.js';
import { dialServer } from '../connection/dial-server.js';
import { currentLogin, endpointSource } from '../connection/endpoint-source.js';
import type { ValkeyLogin } from '../connection/greet.js';
import type { Dialled, ValkeySource } from '../connection/valkey-source.js';
import { Sentinel } from './sentinel.js';
import { agreedPrimary, electedPrimary, nameOf } from './sentinel-vote.js';

/** The longest wait for a Sentinel, in milliseconds. */
const MAX_SENTINEL_TIMEOUT_MS = 1_000;
/**
 * How often the Sentinels are asked whether the primary has changed. For about a second of a failover the old primary
 * still accepts calls, so the store must not wait until its connection ends.
 */
const WATCH_MS = 250;

/** Connections to the primary that the majority of the Sentinels names. */
export function sentinelSource(target: SentinelTarget, connectTimeoutMs: number): ValkeySource {
  return new SentinelSource(target, connectTimeoutMs);
}

/** An attempt to connect to the primary, or a connection to it. */
interface Current {
  readonly address: ServerAddress;
  readonly dialled: Dialled;
}

class SentinelSource implements ValkeySource {
  readonly acceptsReplica = false;
  readonly loopbackOnly: boolean;
  readonly #target: SentinelTarget;
  readonly #sentinels: readonly Sentinel[];
  #current: Current | undefined;
  /** The address of the last attempt. It is the last choice if the Sentinels do not agree. */
  #lastTried = '';
  #watch: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(target: SentinelTarget, connectTimeoutMs: number) {
    const { sentinels, name, tls } = target;
    const { addresses, ...access } = sentinels;
    // half of the time that a call waits, so that a Sentinel that hangs does not fail the call
    const timeoutMs = Math.min(connectTimeoutMs / 2, MAX_SENTINEL_TIMEOUT_MS);
    this.loopbackOnly = !target.primary.tls;
    this.#target = target;
    this.#sentinels = addresses.map(
      (address) => new Sentinel(endpointSource({ ...address, ...access }, tls), name, timeoutMs),
    );
  }

  login(): Promise<ValkeyLogin> {
    return currentLogin(this.#target.primary);
  }

  dial(): Dialled {
    let dialled: Dialled | undefined;
    let isReleased = false;
    const open = async (): Promise<Socket> => {
      const address = await electedPrimary(this.#sentinels, this.#lastTried);
      if (isReleased || this.#isClosed) throw new Error('The attempt was ended.');
      dialled = dialServer(address, this.loopbackOnly ? undefined : (this.#target.tls ?? {}));
      this.#lastTried = nameOf(address);
      this.#current = { address, dialled };
      this.#watch ??= setInterval(() => void this.#leaveOldPrimary(), WATCH_MS).unref();
      return dialled.socket;
    };
    const release = (): void => {
      isReleased = true;
      dialled?.release();
    };
    return { socket: open(), release };
  }

  address(): string | undefined {
    return this.#current && hostAndPort(this.#current.address);
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#watch);
    for (const sentinel of this.#sentinels) sentinel.close();
  }

  /** Closes the connection, or ends the attempt, if most Sentinels name another primary. */
  async #leaveOldPrimary(): Promise<void> {
    const asked = this.#current;
    const named = await agreedPrimary(this.#sentinels);
    if (!asked || !named || this.#current !== asked || nameOf(named) === nameOf(asked.address)) return;
    asked.dialled.release();
  }
}
