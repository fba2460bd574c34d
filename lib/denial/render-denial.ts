import type { ServerResponse } from 'node:http';
import type { Request, Response } from 'express';
import { closeDetached, watchDetached } from '../node/detached-response.js';
import { clearTimeout, setTimeout } from '../util/clock.js';
import { whenSettled } from '../util/maybe-promise.js';
import type { DenialRenderer } from './denial.js';
import type { DenialDetails } from './denial-instance.js';
import { deniedRequest } from './denied-request.js';
import { type HeaderSnapshot, restoreHeaders } from './entry-headers.js';
import { sendProblem } from './problem-denial.js';

/** The input of a renderer. */
export interface Denial {
  readonly details: DenialDetails;
  readonly render: DenialRenderer;
  readonly headersAtEntry: HeaderSnapshot;
  /** Called if the renderer fails; the default denial is then sent. */
  readonly onFailure: (error: unknown) => void;
}

const RENDER_TIMEOUT_MS = 1_000;

/** Renders a denial on a detached response. Calls `done` when that response has ended, synchronously if it already has. */
export function renderDenial<T extends ServerResponse>(
  denial: Denial,
  create: () => T,
  done: (rendered: T) => void,
): void {
  const { details, render, onFailure } = denial;
  const res = prepared(create(), denial);
  let timer: NodeJS.Timeout | undefined;
  let rendered: (() => T) | undefined;
  let returned = false;
  const handOver = (take: () => T): void => {
    clearTimeout(timer);
    done(take());
    closeDetached(res);
  };
  const finish = (take: () => T): void => {
    if (rendered) return;
    rendered = take;
    // while render() runs, an error of `done` would be caught and taken for an error of the renderer
    if (returned) handOver(take);
  };
  const fail = (error: unknown): void =>
    finish(() => {
      onFailure(error);
      return defaultDenial(denial, create());
    });
  const req = res.req as Request;
  watchDetached(res, () => finish(() => res), fail);
  Object.assign(res, {
    req: deniedRequest(req, res, (error) => fail(error ?? new Error('The renderer called next().'))),
  });
  try {
    whenSettled(render(details, req, res as unknown as Response), () => {}, fail);
  } catch (error) {
    fail(error);
  }
  returned = true;
  if (rendered) handOver(rendered);
  else timer = timeLimit(fail);
}

function timeLimit(fail: (error: Error) => void): NodeJS.Timeout {
  const tooLate = (): void => fail(new Error(`The denial was not rendered within ${RENDER_TIMEOUT_MS} ms.`));
  return setTimeout(tooLate, RENDER_TIMEOUT_MS).unref();
}

/** Sends the default denial on `res`. */
export function defaultDenial<T extends ServerResponse>(denial: Pick<Denial, 'details' | 'headersAtEntry'>, res: T): T {
  sendProblem(denial.details, res.req, prepared(res, denial));
  return res;
}

function prepared<T extends ServerResponse>(res: T, { headersAtEntry }: Pick<Denial, 'headersAtEntry'>): T {
  restoreHeaders(res, headersAtEntry);
  res.setHeader('Cache-Control', 'no-store');
  res.statusCode = 403;
  return res;
}
