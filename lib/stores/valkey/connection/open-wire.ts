import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { AplSessionError } from '../../../contract/errors.js';
import { PatientTimer } from '../../../util/patient-timer.js';
import { type ConnectionFailure, connectionFailureOf } from '../protocol/store-error.js';
import { ValkeyWire } from '../protocol/valkey-wire.js';
import { greet, type ValkeyLogin } from './greet.js';
import { DialError, type ValkeySource } from './valkey-source.js';

/** TCP sends keep-alive probes after this many milliseconds without traffic. */
const KEEP_ALIVE_MS = 5_000;
const LOOPBACK = /^(::ffff:)?127\.|^::1$/;

/** What an attempt waits for, in words for messages. */
export type ConnectionStep =
  | 'the password function'
  | 'the TCP connection'
  | 'the TLS handshake'
  | 'the answer of the server to the login';

export interface WireOptions {
  /** The time limit for connecting and greeting together. */
  readonly timeoutMs: number;
  /** Ends the attempt. It has no effect on a connection that is ready. */
  readonly signal: AbortSignal;
  /** Called when the attempt begins to wait for something else. */
  readonly onStep?: (step: ConnectionStep) => void;
  /** Called when a connection that was ready is lost. */
  onLost(failure: ConnectionFailure | undefined): void;
}

/** Makes one attempt to connect. Resolves with a connection that is ready for calls, or with the failure. */
export async function openWire(
  source: ValkeySource,
  options: WireOptions,
): Promise<ValkeyWire | { readonly failure: ConnectionFailure }> {
  let login: ValkeyLogin;
  options.onStep?.('the password function');
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
  #step: ConnectionStep = 'the TCP connection';
  #release = (): void => {};

  constructor(source: ValkeySource, options: WireOptions) {
    this.#source = source;
    this.#options = options;
  }

  async run(login: ValkeyLogin): Promise<ValkeyWire | { readonly failure: ConnectionFailure }> {
    const { signal, timeoutMs } = this.#options;
    const end = (): void => this.#release();
    const late = (): void => {
      const reason = `${this.#step} took longer than ${timeoutMs} ms`;
      this.#failure ??= { code: 'store.unavailable', reason };
      end();
    };
    const timer = new PatientTimer(late, timeoutMs);
    try {
      signal.throwIfAborted();
      const dialled = this.#source.dial();
      this.#release = dialled.release;
      signal.addEventListener('abort', end);
      timer.start(timeoutMs);
      this.#begin('the TCP connection');
      const wire = await this.#connect(await dialled.socket);
      this.#begin('the answer of the server to the login');
      await this.#greet(wire, login);
      // for example, a TLS alert may arrive after the greeting
      if (!wire.open || signal.aborted) throw new Error('The connection was lost.');
      this.#state = 'ready';
      return wire;
    } catch (error) {
      this.#failure ??=
        error instanceof DialError ? error.failure : connectionFailureOf(error, this.#state === 'secured');
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
    if (socket instanceof TLSSocket) {
      if (socket.connecting) socket.once('connect', () => this.#begin('the TLS handshake'));
      else this.#begin('the TLS handshake');
    }
    await connected(socket);
    if (socket instanceof TLSSocket) {
      this.#state = 'secured';
      // the connector of a client may have opened the socket, with its own TLS options
      if (!socket.authorized) throw { code: (socket.authorizationError as { code?: unknown })?.code };
    }
    if (this.#source.loopbackOnly && !LOOPBACK.test(socket.remoteAddress ?? '')) {
      this.#failure = { code: 'store.tls_failed', reason: 'the peer is on another machine, so TLS is required' };
      wire.giveUp('The peer is on another machine.');
    }
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    return wire;
  }

  #begin(step: ConnectionStep): void {
    this.#step = step;
    this.#options.onStep?.(step);
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

/** Resolves when the socket is connected, including TLS. Rejects if it closes before. */
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
