import type { DecisionPoint, Plugin } from './engines.js';

/** How strict the parser is, and what rules may refer to. */
export interface LanguageContext {
  /** Refuses what CPEX accepts without an effect. */
  readonly strict: boolean;
  /** Patterns of attributes that rules may read; `undefined` accepts any. */
  readonly attributes: readonly string[] | undefined;
  /** Attributes that the app has declared, whose types are not known. */
  readonly declared: readonly string[];
  /** For what a rule or a chain is parsed; `undefined` for a text on its own. */
  readonly phase?: 'pre' | 'post';
  /** The meaning of `!=` and `not in` for an absent attribute. */
  readonly absent: 'deny' | undefined;
  readonly plugins: ReadonlyMap<string, Plugin>;
  readonly decisionPoints: ReadonlyMap<string, DecisionPoint>;
}
