import type { Terminal } from './terminal.js';

const WIDTH = 30;

/** A bar on the last line of a terminal. It writes nothing if the stream is a file or a pipe. */
export class ProgressBar {
  readonly #stream: Terminal['err'];
  readonly #total: number;
  #done = 0;

  constructor(stream: Terminal['err'], total: number) {
    this.#stream = stream;
    this.#total = total;
  }

  advance(steps: number): void {
    this.#done += steps;
    if (!this.#stream.isTTY) return;
    const share = Math.min(this.#done / this.#total, 1);
    const filled = Math.round(share * WIDTH);
    const bar = '#'.repeat(filled) + '.'.repeat(WIDTH - filled);
    this.#stream.write(`\r[${bar}] ${Math.round(share * 100)} %`);
  }

  /** Removes the bar. */
  clear(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\u001b[K');
  }
}
