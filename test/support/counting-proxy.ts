import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';

export interface ProxyTarget {
  readonly url: string;
  readonly host: string;
  readonly port: number;
}

/** Stops a request in the middle: what comes before `marker` is passed on, the rest waits for `release`. */
export interface Split {
  readonly marker: string;
  readonly release: () => Promise<void>;
}

const LATENCY_MS = 20;

/**
 * A TCP proxy that counts round trips: bursts of requests with no reply between them. Replies are held for some
 * milliseconds, so that two commands which do not wait for each other are always one burst, and two that do are two.
 */
export class CountingProxy {
  roundTrips = 0;
  connections = 0;
  split: Split | undefined;
  readonly #target: ProxyTarget;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #generation = 0;

  private constructor(target: ProxyTarget) {
    this.#target = target;
    this.#server = createServer((client) => this.#serve(client));
  }

  static async start(target: ProxyTarget): Promise<CountingProxy> {
    const proxy = new CountingProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** The URL of the target, login and database included, with this proxy's address in it. */
  get url(): string {
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('The proxy does not listen.');
    const url = new URL(this.#target.url);
    url.host = `127.0.0.1:${address.port}`;
    return url.href;
  }

  async countRoundTrips(action: () => Promise<unknown>): Promise<number> {
    const before = this.roundTrips;
    await action();
    return this.roundTrips - before;
  }

  /** All connections made up to now stay open and pass nothing on any more, like those to a machine that vanished. */
  abandonConnections(): void {
    this.#generation += 1;
  }

  /** Ends all connections; new ones are served. */
  cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.#server.close();
    this.cutConnections();
    await once(this.#server, 'close');
  }

  #serve(client: Socket): void {
    this.connections += 1;
    const generation = this.#generation;
    const upstream = createConnection({ host: this.#target.host, port: this.#target.port });
    let waiting = false;
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        if (generation !== this.#generation) return;
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (data) => {
      if (generation !== this.#generation) return;
      if (!waiting) this.roundTrips += 1;
      waiting = true;
      void this.#forward(data, upstream);
    });
    upstream.on('data', (data) => {
      setTimeout(() => {
        if (generation !== this.#generation) return;
        waiting = false;
        client.write(data);
      }, LATENCY_MS);
    });
  }

  async #forward(data: Buffer, upstream: Socket): Promise<void> {
    const { split } = this;
    const at = split ? data.indexOf(split.marker) : -1;
    if (!split || at < 0) {
      upstream.write(data);
      return;
    }
    this.split = undefined;
    if (at > 0) upstream.write(data.subarray(0, at));
    await split.release();
    upstream.write(data.subarray(at));
  }
}
