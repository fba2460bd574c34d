import type { Readable } from 'node:stream';
import { nextTick } from '../util/clock.js';
import type { NodeResponse } from './node-response.js';

/** How many sources are piped into a response. Each of them listens for the end of its pipe. */
export function sourcesOf(res: NodeResponse): number {
  return res.listenerCount('unpipe');
}

/**
 * The sources that are piped into a refused response. They are read to their end, because the handler may wait for that, and
 * their data is dropped.
 */
export class OpenPipes {
  readonly #res: NodeResponse;
  /** Sources that have lost their pipe and have not ended yet. */
  readonly #unpiped = new Set<Readable>();
  readonly #onEnd: () => void;

  /** @param onEnd called when a source has ended */
  constructor(res: NodeResponse, onEnd: () => void) {
    this.#res = res;
    this.#onEnd = onEnd;
  }

  get any(): boolean {
    return this.#unpiped.size > 0 || sourcesOf(this.#res) > 0;
  }

  /** Emits `finish`, which unpipes every source, and reads the sources to their end. */
  survive(emitFinish: () => boolean): boolean {
    const res = this.#res;
    const drain = (source: Readable): void => this.#drain(source);
    res.on('unpipe', drain);
    try {
      return emitFinish();
    } finally {
      res.off('unpipe', drain);
    }
  }

  /** Stops reading the sources that have not ended. */
  stop(): void {
    for (const source of this.#unpiped) if (source.listenerCount('data') === 0) source.pause();
  }

  #drain(source: Readable): void {
    if (source.readableEnded || source.destroyed) return;
    this.#unpiped.add(source);
    const onEnd = (): void => {
      if (this.#unpiped.delete(source)) nextTick(this.#onEnd);
    };
    for (const event of ['end', 'error', 'close']) source.once(event, onEnd);
    source.resume();
  }
}
