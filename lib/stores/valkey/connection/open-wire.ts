import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { AplSessionError } from '../../../contract/errors.js';
import { PatientTimer } from '../../../util/patient-timer.js';
import { type ConnectionFailure, connectionFailureOf } from '../protocol/store-error.js';
import { ValkeyWire } from '../protocol/valkey-wire.js';
import { greet, type ValkeyLogin } from './valkey-greeting.js';
import type { ValkeySource } from './valkey-source.js';

/** How long a connection says nothing before TCP asks whether the peer is there, in milliseconds. */
const KEEP_ALIVE_MS = 5_000;
const LOOPBACK = /^(::ffff:)?127\.|^::1$/;

export interface WireOptions {
  /** How long connecting and greeting may take together. */
  readonly timeoutMs: number;
  /** Ends the attempt. A connection that is ready does not hear it. */
  readonly signal: AbortSignal;
  /** Hears that a connection which was ready is lost. */
  onLost(failure: ConnectionFailure | undefined): void;
}

/** One attempt to connect. Never rejects: there is a connection that is ready for calls, or a reason why not. */
export async function openWire(
  source: ValkeySource,
  options: WireOptions,
): Promise<ValkeyWire | { readonly failure: ConnectionFailure }> {
  let login: ValkeyLogin;
  try {
    login = await source.login();
  } catch (error) {
    const reason = error instanceof AplSessionError ? error.message : 'the login could not be read';
    return { failure: { code: 'store.login_failed', reason } };
  }
  return new Opening(source, options).run(login);
}

class Opening {
  readonly #source: ValkeySource;
  readonly #options: WireOptions;
  #state: 'connecting' | 'secured' | 'ready' = 'connecting';
  #failure: ConnectionFailure | undefined;
  #release = (): void => {};

  constructor(source: ValkeySource, options: WireOptions) {
    this.#source = source;
    this.#options = options;
  }

  async run(login: ValkeyLogin): Promise<ValkeyWire | { readonly failure: ConnectionFailure }> {
    const { signal, timeoutMs } = this.#options;
    const end = (): void => this.#release();
    const timer = new PatientTimer(end, timeoutMs);
    try {
      signal.throwIfAborted();
      const dialled = this.#source.dial();
      this.#release = dialled.release;
      signal.addEventListener('abort', end);
      timer.start(timeoutMs);
      const wire = await this.#connect(await dialled.socket);
      await this.#greet(wire, login);
      // an error on the way, such as one of a second alert of TLS, makes this another connection than was asked for
      if (!wire.open || signal.aborted) throw new Error('The connection was lost.');
      this.#state = 'ready';
      return wire;
    } catch (error) {
      this.#failure ??= connectionFailureOf(error, this.#state === 'secured');
      this.#release();
      return { failure: this.#failure };
    } finally {
      timer.stop();
      signal.removeEventListener('abort', end);
    }
  }

  async #connect(socket: Socket): Promise<ValkeyWire> {
    const wire: ValkeyWire = new ValkeyWire(socket, (error) => {
      this.#release();
      const failure = error === undefined ? undefined : connectionFailureOf(error, this.#isUnanswered(wire));
      if (this.#state === 'ready') this.#options.onLost(failure);
      else this.#failure ??= failure;
    });
    await connected(socket);
    if (socket instanceof TLSSocket) {
      this.#state = 'secured';
      // a caller's connector may have made the socket
      if (!socket.authorized) throw { code: (socket.authorizationError as { code?: unknown })?.code };
    }
    if (this.#source.loopbackOnly && !LOOPBACK.test(socket.remoteAddress ?? '')) {
      this.#failure = { code: 'store.tls_failed', reason: 'the peer is not on this machine, so it needs TLS' };
      wire.giveUp('The peer is not on this machine.');
    }
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    return wire;
  }

  #isUnanswered(wire: ValkeyWire): boolean {
    return this.#state === 'secured' && !wire.heard;
  }

  async #greet(wire: ValkeyWire, login: ValkeyLogin): Promise<void> {
    const { role, refusesReadsOnceDemoted } = await greet(wire, login);
    if (this.#source.acceptsReplica) return;
    if (role === 'replica') {
      this.#failure = { code: 'store.unavailable', reason: 'the server is a replica' };
      throw new Error('The server is a replica.');
    }
    if (role === 'primary' && !refusesReadsOnceDemoted) wire.askForRole();
  }
}

/** Resolves once the socket can be written to; rejects if it closes before. */
function connected(socket: Socket): Promise<void> {
  const isTls = socket instanceof TLSSocket;
  if (isTls ? socket.authorized : !socket.connecting && !socket.destroyed) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(new Error('The connection was closed.'));
    if (socket.destroyed) return closed();
    socket.once(isTls ? 'secureConnect' : 'connect', resolve);
    socket.once('close', closed);
  });
}
