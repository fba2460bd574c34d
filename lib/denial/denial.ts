import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { Request, Response } from 'express';
import Joi from 'joi';
import { AplSessionError } from '../contract/errors.js';
import type { Violation } from '../contract/security.js';
import { parseOptions } from '../util/parse-options.js';
import { sendProblem } from './problem-denial.js';

/**
 * Answers with a denial. The response is the app's own kind of response with status 403, the headers that were set before
 * `aplSessionMiddleware`, and `Cache-Control: no-store`; what is sent on it takes the place of whatever handlers have made.
 * May answer later. One that throws, rejects, or has not ended the response within 1 s is replaced by the default denial.
 */
export type DenialRenderer = (violation: Violation, req: Request, res: Response) => unknown;

/** A denial that is the same for every violation, but for the default body. */
export interface DenialTemplate {
  /** 400 to 599. Default 403. */
  readonly status?: number;
  /** Set after those that were set before `aplSessionMiddleware`. None by which HTTP tells where the body ends. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Text, or a value that is sent as JSON. Default: problem details, or HTML for a browser. */
  readonly body?: string | object;
}

/** How violations are answered. */
export type DenialOption = DenialTemplate | DenialRenderer;

const template = Joi.object<DenialTemplate>({
  status: Joi.number().integer().min(400).max(599),
  headers: Joi.object().pattern(Joi.string(), Joi.string().allow('').custom(headerValue)),
  body: Joi.alternatives(Joi.string().allow(''), Joi.object(), Joi.array()),
}).custom(withValidNames);

/**
 * The renderer that an option stands for.
 * @throws AplSessionError `config.invalid`
 */
export function parseDenial(what: string, option: DenialOption): DenialRenderer {
  if (typeof option === 'function') return option;
  const { status = 403, headers = {}, body } = parseOptions(`${what}: denial`, template, option);
  const { text, type } = rendered(what, body);
  return (violation, req, res) => {
    res.statusCode = status;
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    if (text === undefined) {
      sendProblem(violation, req, res);
      return;
    }
    if (!res.hasHeader('Content-Type')) res.setHeader('Content-Type', type);
    res.end(text);
  };
}

function rendered(what: string, body: DenialTemplate['body']): { text: string | undefined; type: string } {
  if (body === undefined || typeof body === 'string') return { text: body, type: 'text/plain; charset=utf-8' };
  try {
    return { text: JSON.stringify(body), type: 'application/json; charset=utf-8' };
  } catch {
    throw new AplSessionError(
      'config.invalid',
      `${what}: denial: 'body' must be a string, or a value that JSON can hold.`,
    );
  }
}

function headerValue(value: string, { error }: Joi.CustomHelpers): unknown {
  try {
    validateHeaderValue('header', value);
    return value;
  } catch {
    return error('any.custom', { error: new Error('no header can have this value') });
  }
}

/** A wrong one would make the rest of the body the beginning of the next answer. */
const FRAMING = /^(?:content-length|transfer-encoding|trailer)$/i;

function withValidNames(value: DenialTemplate, { error }: Joi.CustomHelpers): unknown {
  try {
    for (const name of Object.keys(value.headers ?? {})) validateHeaderName(name);
  } catch {
    return error('any.custom', { error: new Error("'headers' has a name that no header can have") });
  }
  if (!Object.keys(value.headers ?? {}).some((name) => FRAMING.test(name))) return value;
  return error('any.custom', { error: new Error("'headers' must not tell where the body ends; Node does") });
}
