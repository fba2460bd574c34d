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

/**
 * The fault of the traffic while it is set. A connection with the fault does not work again.
 * - `black hole`: connections are accepted, and nothing that is sent arrives
 * - `no replies`: requests arrive, replies do not
 * - `half a reply, then silence` / `end` / `reset`: a reply stops in the middle; then nothing, FIN or RST
 * - `reset`: the first byte of a client is answered with RST
 */
export type Fault = 'black hole' | 'no replies' | `half a reply, then ${'silence' | 'end' | 'reset'}` | 'reset';

const LATENCY_MS = 20;

/**
 * A TCP proxy that counts round trips (bursts of requests with no reply between them) and can fail in the ways of a
 * network. Replies are held for some milliseconds, so that two commands which do not wait for each other are always one
 * burst, and two that do are two.
 */
export class CountingProxy {
  roundTrips = 0;
  connections = 0;
  /** How long each reply is held. */
  latencyMs = LATENCY_MS;
  split: Split | undefined;
  fault: Fault | undefined;
  /** Like `fault`, for the next traffic only. */
  faultOnce: Fault | undefined;
  /** Only round trips of connections whose first burst has this text are counted. */
  onlyOf: string | undefined;
  /** Bursts that match this are not counted. */
  ignores: RegExp | undefined;
  /** Where new connections lead. */
  target: ProxyTarget;
  readonly #sockets = new Set<Socket>();
  #server: Server;
  #port = 0;
  #generation = 0;

  private constructor(target: ProxyTarget) {
    this.target = target;
    this.#server = createServer((client) => this.#serve(client));
  }

  static async start(target: ProxyTarget): Promise<CountingProxy> {
    const proxy = new CountingProxy(target);
    await proxy.listen();
    return proxy;
  }

  /** The URL of the target, login and database included, with this proxy's address in it. */
  get url(): string {
    const url = new URL(this.target.url);
    url.host = `127.0.0.1:${this.#port}`;
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

  /** Resets all connections; new ones are served. */
  resetConnections(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Ends all connections and refuses new ones. */
  async refuse(): Promise<void> {
    this.#server.close();
    this.cutConnections();
    await once(this.#server, 'close');
  }

  /** Takes connections, on the same port as before. */
  async listen(): Promise<void> {
    this.#server = createServer((client) => this.#serve(client));
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('The proxy does not listen.');
    this.#port = address.port;
  }

  async close(): Promise<void> {
    if (this.#server.listening) await this.refuse();
  }

  #serve(client: Socket): void {
    this.connections += 1;
    const generation = this.#generation;
    const upstream = createConnection({ host: this.target.host, port: this.target.port });
    let lost = false;
    let waiting = false;
    let first: Buffer | undefined;
    const counts = (data: Buffer): boolean => {
      first ??= data;
      const isOfInterest = this.onlyOf === undefined || first.includes(this.onlyOf);
      return isOfInterest && !this.ignores?.test(data.toString('latin1'));
    };
    const passes = (): boolean => !lost && generation === this.#generation;
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
      if (!passes()) return;
      const fault = this.#take(['black hole', 'reset']);
      if (fault) {
        lost = true;
        if (fault === 'reset') client.resetAndDestroy();
        return;
      }
      if (counts(data)) {
        if (!waiting) this.roundTrips += 1;
        waiting = true;
      }
      void this.#forward(data, upstream);
    });
    upstream.on('data', (data) => {
      setTimeout(() => {
        if (!passes()) return;
        waiting = false;
        const fault = this.#take([
          'no replies',
          'half a reply, then silence',
          'half a reply, then end',
          'half a reply, then reset',
        ]);
        if (!fault) return void client.write(data);
        lost = true;
        if (fault !== 'no replies') breakOff(client, data, fault);
      }, this.latencyMs);
    });
  }

  /** The fault that is in force, if it is one of these. */
  #take(faults: readonly Fault[]): Fault | undefined {
    if (this.faultOnce && faults.includes(this.faultOnce)) {
      const fault = this.faultOnce;
      this.faultOnce = undefined;
      return fault;
    }
    return this.fault && faults.includes(this.fault) ? this.fault : undefined;
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

function breakOff(client: Socket, data: Buffer, fault: Fault): void {
  client.write(data.subarray(0, Math.ceil(data.length / 2)), () => {
    if (fault === 'half a reply, then end') client.destroy();
    if (fault === 'half a reply, then reset') client.resetAndDestroy();
  });
}
