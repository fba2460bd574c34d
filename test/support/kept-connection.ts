import http from 'node:http';
import type { Socket } from 'node:net';

export interface KeptAnswer {
  /** `undefined` if the connection was lost before there was one. */
  readonly status: number | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

/** A client that sends one request after the other on one connection, which the server has to keep alive. */
export class KeptConnection {
  readonly #port: number;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  readonly #sockets = new Set<Socket>();

  constructor(port: number) {
    this.#port = port;
  }

  /** How many connections it took. */
  get connections(): number {
    return this.#sockets.size;
  }

  ask(path: string, body?: object, headers: http.OutgoingHttpHeaders = {}): Promise<KeptAnswer> {
    return new Promise((resolve, reject) => {
      const request = http.request({
        port: this.#port,
        path,
        agent: this.#agent,
        method: body ? 'POST' : 'GET',
        headers: body ? { 'Content-Type': 'application/json', ...headers } : headers,
      });
      request.on('socket', (socket) => this.#sockets.add(socket));
      request.on('error', reject);
      request.on('response', (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (part) => {
          text += part;
        });
        answer.on('error', reject);
        answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text }));
      });
      request.end(body && JSON.stringify(body));
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
