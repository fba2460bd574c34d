import { openValkeyGroup, type ValkeyGroup, type ValkeyNode } from '../../support/valkey-group.js';
import {
  type ClusterTopology,
  type SentinelTopology,
  startCluster,
  startSentinels,
} from '../../support/valkey-topologies.js';
import { CrashApp } from './crash-app.js';

/** How many servers of single trials one group has, one after the other. */
const GROUP_SIZE = 8;
const SENTINEL_PROCESSES = 6;
const CLUSTER_PROCESSES = 6;

type Opened = Awaited<ReturnType<typeof openValkeyGroup>>;

/** The processes that several trials share. They are started when the first trial needs them. */
export class Lab {
  readonly app: CrashApp;
  readonly #groups: Opened[] = [];
  #servers: Opened | undefined;
  #started = 0;
  #sentinels: Promise<SentinelTopology> | undefined;
  #cluster: Promise<ClusterTopology> | undefined;

  private constructor(app: CrashApp) {
    this.app = app;
  }

  static async open(): Promise<Lab> {
    return new Lab(await CrashApp.start());
  }

  /** A new server. The one before must not be in use any more. */
  async server(...args: readonly string[]): Promise<ValkeyNode> {
    if (this.#started % GROUP_SIZE === 0) {
      await this.#servers?.close();
      this.#servers = await openValkeyGroup(GROUP_SIZE);
    }
    this.#started += 1;
    return (this.#servers as Opened).group.start(...args);
  }

  sentinels(): Promise<SentinelTopology> {
    this.#sentinels ??= this.#group(SENTINEL_PROCESSES).then((group) => startSentinels(group));
    return this.#sentinels;
  }

  cluster(): Promise<ClusterTopology> {
    this.#cluster ??= this.#group(CLUSTER_PROCESSES).then((group) => startCluster(group));
    return this.#cluster;
  }

  async close(): Promise<void> {
    await this.app.close();
    await this.#servers?.close();
    for (const group of this.#groups) await group.close();
  }

  async #group(size: number): Promise<ValkeyGroup> {
    const opened = await openValkeyGroup(size);
    this.#groups.push(opened);
    return opened.group;
  }
}
