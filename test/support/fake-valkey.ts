import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** Changes a reply before it is sent. An empty text means that no reply is sent. */
export type Bend = (command: string, reply: string) => string;

/** A command that is neither executed nor answered. */
export type Ignore = (command: string) => boolean;

/**
 * Speaks as much RESP2 as the store asks for, and can send what no Valkey would: replies that are missing, doubled, late
 * or of another type.
 */
export class FakeValkey {
  readonly sets = new Map<string, Set<string>>();
  connections = 0;
  /** How many bytes it was sent. */
  bytes = 0;
  bend: Bend = (_, reply) => reply;
  ignore: Ignore = () => false;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(host = '127.0.0.1'): Promise<FakeValkey> {
    const fake = new FakeValkey();
    fake.#server.listen(0, host);
    await once(fake.#server, 'listening');
    return fake;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  /** Sends this on all connections, asked or not. */
  say(text: string): void {
    for (const socket of this.#sockets) socket.write(text);
  }

  #serve(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    let text = '';
    let queued: string[][] | undefined;
    const answer = (words: string[]): string => {
      const command = (words[0] ?? '').toLowerCase();
      if (command === 'multi') {
        queued = [];
        return '+OK\r\n';
      }
      if (command === 'exec') {
        const replies = (queued ?? []).map((each) => this.#execute(each));
        queued = undefined;
        return `*${replies.length}\r\n${replies.join('')}`;
      }
      if (!queued || command === 'echo') return this.#execute(words);
      queued.push(words);
      return '+QUEUED\r\n';
    };
    socket.setEncoding('latin1').on('data', (data) => {
      text += data;
      this.bytes += data.length;
      for (let read = readCommand(text); read; read = readCommand(text)) {
        text = text.slice(read.end);
        const command = (read.words[0] ?? '').toLowerCase();
        if (this.ignore(command)) continue;
        const sent = this.bend(command, answer(read.words));
        if (sent !== '') socket.write(sent);
      }
    });
  }

  #execute([command = '', key = '', ...rest]: string[]): string {
    const set = this.sets.get(key);
    switch (command.toLowerCase()) {
      case 'hello':
        return array(['server', 'valkey', 'role', 'master'].map(bulk));
      case 'smembers':
        return array([...(set ?? [])].map(bulk));
      case 'sadd': {
        this.sets.set(key, new Set([...(set ?? []), ...rest]));
        return `:${rest.length}\r\n`;
      }
      case 'expire':
        return set ? ':1\r\n' : ':0\r\n';
      case 'echo':
        return bulk(key);
      case 'cluster':
        // it has all slots
        return array([array([':0\r\n', ':16383\r\n', array([bulk('127.0.0.1'), `:${this.port}\r\n`])])]);
      case 'info':
      case 'config':
        return '-NOPERM The user has no permissions to run the command\r\n';
      default:
        return '+OK\r\n';
    }
  }
}

export function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

export function array(items: readonly string[]): string {
  return `*${items.length}\r\n${items.join('')}`;
}

function readCommand(text: string): { readonly words: string[]; readonly end: number } | undefined {
  const count = /^\*(\d+)\r\n/.exec(text);
  if (!count) return undefined;
  let end = count[0].length;
  const words: string[] = [];
  for (let index = 0; index < Number(count[1]); index += 1) {
    const head = /^\$(\d+)\r\n/.exec(text.slice(end, end + 20));
    if (!head) return undefined;
    const from = end + head[0].length;
    end = from + Number(head[1]) + 2;
    if (text.length < end) return undefined;
    words.push(text.slice(from, end - 2));
  }
  return { words, end };
}
