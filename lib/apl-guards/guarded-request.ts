import type { Request, Response } from 'express';
import type { Violation } from '../contract/security.js';
import type { DenialRenderer } from '../denial/denial.js';
import { PolicyViolation } from '../denial/policy-violation.js';
import { isStoreFailure, POLICY_ERROR, toViolation } from '../denial/violations.js';
import { secretsOf } from '../guards/guard.js';
import type { Refusal } from '../middleware/response-reviews.js';
import type { SessionRequest } from '../middleware/session-request.js';
import { type MaybePromise, whenSettled } from '../util/maybe-promise.js';
import type { AplSettings } from './apl-options.js';

/** A request at a guard that runs rules: how failures become refusals and alarms. */
export class GuardedRequest {
  readonly req: Request;
  readonly res: Response;
  readonly request: SessionRequest;
  readonly settings: AplSettings;
  /** Renders refusals; `undefined` for the renderer of the middleware. */
  denial: DenialRenderer | undefined;
  /** Texts of attributes, which no alarm may show. */
  secrets: () => readonly string[] = () => [];

  constructor(req: Request, res: Response, request: SessionRequest, settings: AplSettings) {
    this.req = req;
    this.res = res;
    this.request = request;
    this.settings = settings;
    this.denial = settings.denial;
  }

  get isObserving(): boolean {
    return this.settings.enforce === 'observe';
  }

  /** Runs a step. Its error is a refusal. */
  attempt(step: () => MaybePromise<Refusal | undefined>): MaybePromise<Refusal | undefined> {
    const onError = (error: unknown): Refusal | undefined => this.failed(error);
    try {
      return whenSettled(step(), (refusal) => refusal, onError);
    } catch (error) {
      return onError(error);
    }
  }

  /** The refusal for rules that could not be evaluated, with an alarm. */
  failed(error: unknown, violation = POLICY_ERROR): Refusal | undefined {
    if (error instanceof PolicyViolation) return this.refusal(toViolation(error));
    this.alarm(error);
    return this.refusal(violation);
  }

  /**
   * `undefined` if the guard observes. A failure of the store is a refusal nevertheless.
   * @param rule the place of the rule that denies
   */
  refusal(violation: Violation, rule?: string): Refusal | undefined {
    const { req, request, settings } = this;
    if (!this.isObserving || isStoreFailure(violation)) return { violation, denial: this.denial };
    // the reason of a chain may hold the value of an argument
    const reason = rule === undefined ? violation.reason : `the rule ${rule} denies`;
    request.access.alarms.wouldDeny(settings.name, { ...violation, reason }, { at: req, secrets: secretsOf(request) });
    return undefined;
  }

  alarm(error: unknown): void {
    const { req, request, settings } = this;
    const secrets = secretsOf(request);
    const instance = this.isObserving ? undefined : request.denialInstance;
    request.access.alarms.policyError(settings.name, error, { at: req, secrets, hidden: this.secrets(), instance });
  }
}
