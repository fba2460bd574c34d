/**
 * How a label was added to its session. The store keeps the first origin of each label. All texts are optional; a store shortens
 * them and removes control characters.
 */
export interface LabelOrigin {
  /** When the label was added, in milliseconds since 1970. */
  readonly atMs: number;
  /** Method and route pattern, as in alarms, for example `GET /salaries`; the `name` of a session of `openSession`. */
  readonly route?: string;
  /** The guard or rule that added the label, for example `taint` or `quarantine`; absent if a handler added it. */
  readonly by?: string;
  /** The id of the request, as the option `requestId` of the middleware returns it. */
  readonly requestId?: string;
}

/** Why a session has a label. The texts are for operators; never send them to a client. */
export interface LabelExplanation {
  readonly label: string;
  /** When the label was first added: ISO 8601, UTC, for example `2026-01-31T12:00:00.000Z`. */
  readonly firstAddedAt?: string;
  /** As in {@link LabelOrigin}. */
  readonly route?: string;
  /** As in {@link LabelOrigin}. */
  readonly by?: string;
  /** The process that stored the label: the option `provenance.node` of its store. */
  readonly node?: string;
  /** As in {@link LabelOrigin}. */
  readonly requestId?: string;
  /** Set if there is no record of the label: what that means. */
  readonly note?: string;
}

/** The result of `explain()`. */
export interface SessionExplanation {
  /** Whether the session was enrolled; see the option `sessions`. */
  readonly enrolled: boolean;
  /** Every label of the session, in the order in which they were added; those without a record come last. */
  readonly labels: readonly LabelExplanation[];
}
