import { createConnection, type Socket } from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

/**
 * One keep-alive connection. Reads no more of a response than tells its status and its end, so that the load costs a
 * fraction of what is measured.
 */
export class Connection {
  readonly #socket: Socket;
  /** `undefined` if no answer is due. */
  #onDone: ((ok: boolean) => void) | undefined;
  /** How many answers are due before the answer to the latest request. */
  #before = 0;
  #status = 0;
  /** Bytes of the body that have not come; `Infinity` for chunks. */
  #left = 0;
  #inBody = false;
  #head: Buffer | undefined;
  #tail: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket.setNoDelay(true);
    socket.on('data', (data) => this.#read(data));
    socket.on('error', () => this.#done(false));
    socket.on('close', () => this.#done(false));
  }

  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = createConnection({ host: '127.0.0.1', port });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Connection(socket));
      });
    });
  }

  /** `onDone` learns whether the answer was a complete 200. Of requests that are sent together, only the last one's is told. */
  send(request: string, onDone: (ok: boolean) => void): void {
    if (this.#onDone) this.#before += 1;
    this.#onDone = onDone;
    this.#socket.write(request, 'latin1');
  }

  close(): void {
    this.#onDone = undefined;
    this.#socket.destroy();
  }

  #done(ok: boolean): void {
    this.#inBody = false;
    this.#head = undefined;
    if (ok && this.#before > 0) {
      this.#before -= 1;
      return;
    }
    const onDone = this.#onDone;
    this.#onDone = undefined;
    onDone?.(ok);
  }

  #read(data: Buffer): void {
    if (this.#inBody) this.#readBody(data);
    else this.#readHead(this.#head ? Buffer.concat([this.#head, data]) : data);
  }

  #readHead(data: Buffer): void {
    const end = data.indexOf(HEAD_END);
    if (end < 0) {
      this.#head = data;
      return;
    }
    const head = data.toString('latin1', 0, end);
    this.#status = Number(head.slice(9, 12));
    const length = /\r\ncontent-length: (\d+)/i.exec(head);
    this.#left = length ? Number(length[1]) : Number.POSITIVE_INFINITY;
    this.#inBody = true;
    this.#tail = data.subarray(0, 0);
    this.#readBody(data.subarray(end + 4));
  }

  #readBody(data: Buffer): void {
    this.#left -= data.length;
    if (this.#left === Number.POSITIVE_INFINITY) {
      // no body of ours holds this text
      this.#tail = data.length >= 5 ? data.subarray(-5) : Buffer.concat([this.#tail, data]).subarray(-5);
      if (!this.#tail.equals(LAST_CHUNK)) return;
    } else if (this.#left > 0) return;
    const next = this.#left < 0 ? data.subarray(this.#left) : undefined;
    this.#done(this.#status === 200);
    if (next) this.#readHead(next);
  }
}
