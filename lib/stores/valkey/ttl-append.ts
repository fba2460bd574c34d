import type { ValkeyClient } from './valkey-client.js';

/** Labels for a session that expires. */
export interface TtlAppend {
  readonly key: string;
  readonly labels: readonly string[];
  readonly ttlSeconds: number;
}

/**
 * Adds labels and sets the TTL in one transaction, which is one round trip. Resolves with a tuple for each of the two
 * commands; rejects if the transaction was discarded, with what was wrong with its commands as `previousErrors`.
 */
export type AppendWithTtl = (client: ValkeyClient, append: TtlAppend) => Promise<unknown>;

/** For every kind of client: a cluster finds the node, and a client with automatic pipelines keeps the order. */
export const appendInPipeline: AppendWithTtl = (client, { key, labels, ttlSeconds }) =>
  client
    .multi()
    .sadd(key, ...labels)
    .expire(key, ttlSeconds)
    .exec();

/** More arguments than this are left to a pipeline, which is not begun if a call cannot take so many. */
const MANY = 1_000;

/**
 * For a client of one connection that sends each command as it comes and none again: cheaper than a pipeline, which keeps
 * a queue and promises of its own.
 */
export const appendByCommands: AppendWithTtl = async (client, append) => {
  const { key, labels, ttlSeconds } = append;
  if (labels.length > MANY) return appendInPipeline(client, append);
  const queued = [client.multi({ pipeline: false }), client.sadd(key, ...labels), client.expire(key, ttlSeconds)];
  const executed = client.exec();
  for (const answer of queued) answer.catch(() => {});
  try {
    return await executed;
  } catch (error) {
    const answers = await Promise.allSettled(queued);
    const previousErrors = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []));
    throw Object.assign(error as Error, { previousErrors });
  }
};
