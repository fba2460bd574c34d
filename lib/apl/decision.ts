export type TaintScope = 'session' | 'message';

/** A label that rules have added, and the scopes that it was added to. */
export type Taint = readonly [label: string, scopes: readonly TaintScope[]];

/** The answer of a section. */
export type Decision = Allowed | Denied;

interface Outcome {
  /** In the order of the rules, also those before a denial. A label may occur twice. */
  readonly taints: readonly Taint[];
  /** The arguments, if a chain has changed them. The value that was passed is not changed. */
  readonly args?: unknown;
  /** The result, if a chain has changed it. The value that was passed is not changed. */
  readonly result?: unknown;
}

export interface Allowed extends Outcome {
  readonly decision: 'allow';
  readonly code?: never;
  readonly reason?: never;
}

export interface Denied extends Outcome {
  readonly decision: 'deny';
  /** The code of the rule, else its place: `global.apl.pre_invocation[0]`. */
  readonly code: string;
  readonly reason: string;
}

/** A denial, with details for the log. */
export interface RuleDenied extends Denied {
  /** The place of the rule or chain that has denied: `routes.tool:pay.apl.pre_invocation[2]`. It holds no value. */
  readonly rule: string;
  /** The error that a plugin or a decision point has thrown. */
  readonly cause?: unknown;
}

export type RuleDecision = Allowed | RuleDenied;
