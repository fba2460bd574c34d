import type { Request, RequestHandler } from 'express';
import { requiredRequest } from '../guards/guard.js';
import { type MaybePromise, whenSettled } from '../util/maybe-promise.js';
import type { AplSettings } from './apl-options.js';
import { GuardedRequest } from './guarded-request.js';
import { type Chosen, SectionRun } from './section-run.js';

/** Makes middleware that runs the rules that are chosen for each request. An error of `choose` denies with `policy.error`. */
export function rulesHandler(settings: AplSettings, choose: (req: Request) => MaybePromise<Chosen>): RequestHandler {
  return (req, res, next) => {
    const request = requiredRequest(req, settings.name);
    const guarded = new GuardedRequest(req, res, request, settings);
    const refused = guarded.attempt(() =>
      whenSettled(choose(req), (chosen) => new SectionRun(guarded, chosen).enter()),
    );
    const mayGoOn = whenSettled(refused, (refusal) => {
      if (refusal) request.deny(refusal.violation, refusal.denial);
      return !refusal;
    });
    // a separate step: an error that next() throws must not call next() again
    const proceed = (goOn: boolean): void => {
      if (goOn) next();
    };
    whenSettled(mayGoOn, proceed, next);
  };
}
