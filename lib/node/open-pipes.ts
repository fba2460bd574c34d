import type { Readable } from 'node:stream';
import { nextTick } from '../util/clock.js';
import type { NodeResponse } from './server-response.js';

/** How many sources are piped into a response. Each of them listens for the end of its pipe. */
export function sourcesOf(res: NodeResponse): number {
  return res.listenerCount('unpipe');
}

/**
 * The sources that are piped into a refused response. They are read to their end, as the handler may wait for that; what
 * they give is dropped.
 */
export class OpenPipes {
  readonly #res: NodeResponse;
  /** Sources that have lost their pipe. */
  readonly #loose = new Set<Readable>();
  readonly #onChange: () => void;

  /** @param onChange called when a source has ended */
  constructor(res: NodeResponse, onChange: () => void) {
    this.#res = res;
    this.#onChange = onChange;
  }

  get any(): boolean {
    return this.#loose.size > 0 || sourcesOf(this.#res) > 0;
  }

  /** Emits `finish`, which makes every pipe leave its source alone. */
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

  #drain(source: Readable): void {
    if (source.readableEnded || source.destroyed) return;
    this.#loose.add(source);
    const over = (): void => {
      if (this.#loose.delete(source)) nextTick(this.#onChange);
    };
    for (const event of ['end', 'error', 'close']) source.once(event, over);
    source.resume();
  }
}
