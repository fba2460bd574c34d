import type { AppSettings } from './crash-app.js';

export type FeatureTitle = 'no memory' | 'memory of the process' | '`enrolled`';

/** A column of the table: how the app uses the package. */
export interface FeatureSet extends Omit<AppSettings, 'store'> {
  readonly title: FeatureTitle;
}

export const FEATURE_SETS: readonly FeatureSet[] = [
  { title: 'no memory', hasMemory: false, sessions: 'any' },
  { title: 'memory of the process', hasMemory: true, sessions: 'any' },
  { title: '`enrolled`', hasMemory: false, sessions: 'enrolled' },
];
