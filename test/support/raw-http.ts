import { once } from 'node:events';
import http, { type RequestListener } from 'node:http';
import net, { type AddressInfo } from 'node:net';

export interface RunningServer {
  readonly server: http.Server;
  readonly port: number;
  close(): Promise<void>;
}

/** Starts a server on a free loopback port. */
export async function serve(listener: RequestListener): Promise<RunningServer> {
  const server = http.createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    server,
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
}

/** One TCP connection, with all that came over it. */
export class Wire {
  readonly socket: net.Socket;
  /** How the connection ended: `end` (clean), an error code, or `undefined` while it is open. */
  ending: string | undefined;
  readonly #chunks: Buffer[] = [];
  readonly #closed: Promise<void>;

  constructor(port: number) {
    this.socket = net.connect({ port, host: '127.0.0.1' });
    this.socket.on('data', (chunk) => this.#chunks.push(chunk));
    this.socket.on('end', () => {
      this.ending ??= 'end';
    });
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.ending ??= error.code ?? 'error';
    });
    this.#closed = new Promise((resolve) => {
      this.socket.on('close', () => resolve());
    });
  }

  get received(): string {
    return Buffer.concat(this.#chunks).toString('latin1');
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Waits until the received text matches, or the connection is over. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.received) && !this.socket.closed) {
      await Promise.race([once(this.socket, 'data'), this.#closed]);
    }
    return this.received;
  }

  /** Waits until the connection is over; returns everything that came. */
  async closed(): Promise<string> {
    await this.#closed;
    return this.received;
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** Sends a request on a connection of its own and returns every byte of the answer, until the server closes. */
export async function exchange(port: number, request: string): Promise<{ text: string; ending: string | undefined }> {
  const wire = new Wire(port);
  wire.send(request);
  const text = await wire.closed();
  return { text, ending: wire.ending };
}

/** The text of a GET request without body. */
export function get(path: string, headers: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries({ Host: 'test', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}
