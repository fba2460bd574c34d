import type { ValkeySessionStoreOptions } from '../../../lib/valkey.js';
import type { AppSettings } from './crash-app.js';

export type FeatureTitle = 'no memory' | 'memory of the process' | '`durability`' | '`enrolled`' | 'all of these';

/** A column of the table: how the app uses the package. */
export interface FeatureSet extends Omit<AppSettings, 'store'> {
  readonly title: FeatureTitle;
  readonly isDurable?: true;
}

export const FEATURE_SETS: readonly FeatureSet[] = [
  { title: 'no memory', hasMemory: false, sessions: 'any' },
  { title: 'memory of the process', hasMemory: true, sessions: 'any' },
  { title: '`durability`', hasMemory: false, sessions: 'any', isDurable: true },
  { title: '`enrolled`', hasMemory: false, sessions: 'enrolled' },
  { title: 'all of these', hasMemory: true, sessions: 'enrolled', isDurable: true },
];

/** The options of a store for a primary with this many replicas. */
export function durabilityOf({ isDurable }: FeatureSet, replicas: number): ValkeySessionStoreOptions {
  if (!isDurable) return {};
  return { durability: { local: 'synced', ...(replicas > 0 && { replicas, fencedReads: true }) } };
}
