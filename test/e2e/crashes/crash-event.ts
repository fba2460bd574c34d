import type { SessionStore } from '../../../lib/index.js';
import type { ValkeySessionStoreOptions } from '../../../lib/valkey.js';
import type { CrashApp } from './crash-app.js';
import type { FeatureSet, FeatureTitle } from './feature-sets.js';
import type { Lab } from './lab.js';
import type { Acknowledgement, SessionLoad } from './session-load.js';

/**
 * What a cell must show; the program fails otherwise.
 * - `kept`: no label is missing after the event
 * - `lost`: labels are missing, and requests are served without them
 * - `healed`: labels are missing, and each is stored again
 * - `refused`: labels are missing, and each request of their sessions is refused
 * - `not acknowledged`: the app refuses every append, so there is nothing to lose
 * - `nothing lost`: each label is there, stored again, or its session is refused
 * - `may be lost`: what is lost depends on the moment
 */
export type Claim = 'kept' | 'lost' | 'healed' | 'refused' | 'not acknowledged' | 'nothing lost' | 'may be lost';

/** The state after the event. */
export interface Damage {
  /** The labels that were acknowledged before the end of the event. */
  readonly acknowledged: readonly Acknowledgement[];
  /** Those that the store did not have when the event was over, and before the app could store them again. */
  readonly missing: readonly Acknowledgement[];
}

/** What an event may use. */
export interface Stage {
  readonly app: CrashApp;
  /** It is running when the event begins. */
  readonly load: SessionLoad;
  /** A store without the middleware, which shows what is stored. */
  readonly observer: SessionStore;
}

/** Servers on which an event can happen. */
export interface Scene {
  readonly store: ValkeySessionStoreOptions;
  readonly accepts?: (session: string) => boolean;
  happen(stage: Stage): Promise<Damage>;
  close(): Promise<void>;
}

/** A row of the table. */
export interface CrashEvent {
  readonly title: string;
  readonly claims: Readonly<Record<FeatureTitle, Claim>>;
  open(lab: Lab, features: FeatureSet): Promise<Scene>;
}

/** No label is missing, with any set of features. */
export const KEPT = {
  'no memory': 'kept',
  'memory of the process': 'kept',
  '`durability`': 'kept',
  '`enrolled`': 'kept',
  'all of these': 'kept',
} as const;
