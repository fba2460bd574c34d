import Joi, { type ObjectSchema } from 'joi';

/** What an append must have reached before it resolves. */
export interface ValkeyDurabilityOptions {
  /**
   * `'synced'`: the disk of the primary. The server needs `appendonly yes`, `appendfsync always` and
   * `no-appendfsync-on-rewrite no`, because the reply to a write then waits for its fsync. The store asks for these
   * settings, so the user needs the rights `+config|get` and `+info`. Otherwise appends reject with `store.not_synced`.
   * @default appends do not wait for the disk
   */
  readonly local?: 'synced';

  /**
   * At least this many replicas (`WAIT`), each with the right `+wait` for the user of the store. The store opens a second
   * connection to each primary for appends and sends them in batches with one `WAIT` each. If fewer replicas confirm within
   * 40 % of `commandTimeoutMs`, the appends of the batch reject with `store.not_replicated`.
   * @default appends do not wait for replicas
   */
  readonly replicas?: number;

  /**
   * Whether loads wait for `replicas` too: a load resolves only after so many replicas have confirmed a write that was sent
   * behind its read. A primary that was replaced cannot answer loads alone. Needs `replicas`. Loads then use the
   * connection of appends.
   * @default false
   */
  readonly fencedReads?: boolean;
}

export type ValkeyDurability = ValkeyDurabilityOptions & { readonly fencedReads: boolean };

const MAX_REPLICAS = 1_000;

export const durabilitySchema: ObjectSchema<ValkeyDurability> = Joi.object<ValkeyDurability>({
  local: Joi.valid('synced').messages({
    'any.only': "{{#label}} must be 'synced'; leave it out if appends need not wait for the disk",
  }),
  replicas: Joi.number().integer().min(1).max(MAX_REPLICAS),
  fencedReads: Joi.boolean().default(false),
})
  .custom(assertAsks)
  .messages({ 'any.custom': '{{#label}}: {{#error.message}}' });

/** Not `min(1)`: the default of `fencedReads` counts as a key, and so does a key whose value is `undefined`. */
function assertAsks(value: ValkeyDurability, { error }: Joi.CustomHelpers): unknown {
  const { local, replicas, fencedReads } = value;
  const fault = (text: string) => error('any.custom', { error: new Error(text) });
  if (fencedReads && replicas === undefined)
    return fault("'fencedReads' needs 'replicas': the number of replicas that confirm");
  if (local === undefined && replicas === undefined)
    return fault("it asks for nothing; give 'local', 'replicas' or both, or remove it");
  return value;
}
