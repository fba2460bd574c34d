import type { Response } from 'express';
import { now } from '../util/clock.js';
import type { Audience } from './monitor.js';

interface Viewer {
  readonly res: Response;
  readonly endsAtMs: number;
  /** How many messages were left out, because the client does not read. */
  missed: number;
}

/** The access is checked again when the browser connects again. */
const MAX_STREAM_MS = 300_000;
const MAX_MISSED = 30;

/** The open streams of server-sent events. A client that does not read is left out, then disconnected. */
export class LiveStreams implements Audience {
  readonly #viewers = new Set<Viewer>();
  readonly #max: number;
  readonly #snapshot: () => object;

  constructor(max: number, snapshot: () => object) {
    this.#max = max;
    this.#snapshot = snapshot;
  }

  get hasViewers(): boolean {
    return this.#viewers.size > 0;
  }

  get isFull(): boolean {
    return this.#viewers.size >= this.#max;
  }

  /** Starts the body of a response whose headers are set. */
  add(res: Response): void {
    const viewer: Viewer = { res, endsAtMs: now() + MAX_STREAM_MS, missed: 0 };
    this.#viewers.add(viewer);
    res.on('close', () => this.#viewers.delete(viewer));
    // a connection that is lost ends with `close` as well
    res.on('error', () => {});
    res.write(`retry: 1000\n${message('state', this.#snapshot())}`);
  }

  send(event: string, data: object): void {
    const text = message(event, data);
    for (const viewer of this.#viewers) this.#sendTo(viewer, text);
  }

  close(): void {
    for (const { res } of this.#viewers) res.end();
    this.#viewers.clear();
  }

  #sendTo(viewer: Viewer, text: string): void {
    const { res } = viewer;
    if (res.writableNeedDrain) {
      viewer.missed += 1;
      if (viewer.missed > MAX_MISSED) res.destroy();
    } else if (now() > viewer.endsAtMs) {
      res.end();
    } else {
      // after a gap, only a snapshot is complete
      res.write(viewer.missed > 0 ? message('state', this.#snapshot()) : text);
      viewer.missed = 0;
    }
  }
}

function message(event: string, data: object): string {
  // JSON has no line breaks, so one `data` line is enough
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
