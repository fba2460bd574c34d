import { endConnection } from '../node/connection.js';
import { bytesOf } from '../node/detached-response.js';
import type { HeldOutput } from '../node/held-output.js';
import { dropOutput, impersonate, type NodeResponse } from '../node/node-response.js';
import { setTimeout } from '../util/clock.js';
import { DroppedCalls } from './dropped-calls.js';

/** How long wrappers of the response may take to end it after its denial was sent. */
const END_LIMIT_MS = 2_000;

/** Ends a refused response for all of its wrappers, and puts a denial in place of its output. */
export class RefusedResponse {
  readonly #res: NodeResponse;
  readonly #output: HeldOutput;
  /** Drops the later calls of the handler. */
  #dropped: DroppedCalls | undefined;

  constructor(res: NodeResponse, output: HeldOutput) {
    this.#res = res;
    this.#output = output;
  }

  /** Whether the response has ended, or a wrapper is about to end it. */
  get ends(): boolean {
    return this.#dropped?.ends ?? this.#res.writableEnded;
  }

  /**
   * Ends the response with `send`, so that its wrappers see the end, and drops all later calls.
   * @param send returns `false` if it has not ended the response
   */
  end(send: () => unknown): void {
    let ends = true;
    try {
      if (!this.#dropped) ends = send() !== false;
    } catch {
      // a listener for the header section threw, so the response ends without it
      this.#res.end();
    } finally {
      this.dropCalls(ends);
    }
  }

  /** @param ends whether the wrappers of the response have seen its end */
  dropCalls(ends: boolean): void {
    this.#dropped ??= new DroppedCalls(this.#res, ends);
  }

  /** Puts the bytes of the denial in place of the held output, and drops later output. */
  replaceOutput(denial: NodeResponse): void {
    const res = this.#res;
    const { ends } = this;
    dropOutput(res, (callback) => this.#output.callAfter(callback));
    impersonate(res, denial, this.#dropped?.headers ?? res);
    const callbacks = this.#output.replace(bytesOf(denial), (error) => {
      for (const callback of callbacks) callback?.(error);
      // the client has the whole denial, but the next request would wait until this response ends
      if (!ends) this.#endConnection();
      else if (!res.writableEnded) setTimeout(() => !res.writableEnded && this.#endConnection(), END_LIMIT_MS).unref();
    });
  }

  #endConnection(): void {
    const { socket } = this.#res;
    if (socket) endConnection(socket);
  }
}
