import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { Request, Response } from 'express';
import Joi from 'joi';
import { AplSessionError } from '../contract/errors.js';
import { invalidConfig } from '../options/invalid-config.js';
import { kindOfValue } from '../options/kind-of-value.js';
import { parseOptions } from '../options/parse-options.js';
import { assertCalledOptions } from '../options/uncalled.js';
import type { DenialDetails } from './denial-instance.js';
import { sendProblem } from './problem-denial.js';

/**
 * Writes a denial to `res`, also asynchronously. `res` is a response of the app, not yet connected: it has status 403, the
 * headers that were set before `aplSessionMiddleware`, and `Cache-Control: no-store`. Its output replaces the output of the
 * handlers. `denial` has the `code` and `reason` of the violation, and the `instance`. If the renderer throws, rejects, or does not end `res` within 1 s, the default denial is sent.
 */
export type DenialRenderer = (denial: DenialDetails, req: Request, res: Response) => unknown;

/** A fixed denial; only the default body depends on the violation. */
export interface DenialTemplate {
  /**
   * 400 to 599.
   * @default 403
   */
  readonly status?: number;
  /** Added to the headers that were set before `aplSessionMiddleware`. `Content-Length` and other framing is refused. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Text, or a value that is sent as JSON.
   * @default problem details (RFC 9457), or HTML for a client that prefers it
   */
  readonly body?: string | object;
}

/** How a denied request is answered. */
export type DenialOption = DenialTemplate | DenialRenderer;

const template = Joi.object<DenialTemplate>({
  status: Joi.number().integer().min(400).max(599),
  headers: Joi.object().pattern(Joi.string(), Joi.string().allow('').custom(headerValue)),
  body: Joi.alternatives(Joi.string().allow(''), Joi.object(), Joi.array()),
}).custom(withValidNames);

/**
 * @param name the name of the option, for example `denial`
 * @throws AplSessionError `config.invalid`
 */
export function parseDenial(what: string, option: DenialOption, name = 'denial'): DenialRenderer {
  // a renderer that was not called would fail at the first denial
  assertCalledOptions(what, { option });
  if (typeof option === 'function') return option;
  if (typeof option !== 'object' || option === null) {
    throw invalidConfig(
      what,
      `'${name}' must be { status, headers, body }, or a function of (denial, req, res); got ${kindOfValue(option)}`,
    );
  }
  const { status = 403, headers = {}, body } = parseOptions(`${what}: ${name}`, template, option);
  return fixedDenial({ status, headers, ...rendered(`${what}: ${name}`, body) });
}

/** What a denial looks like. Without a text it has the default body. */
export interface FixedDenial {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string | undefined;
  /** The type of the text, unless the headers have one. */
  readonly type: string;
}

/** Makes a renderer of checked values. */
export function fixedDenial({ status, headers, text, type }: FixedDenial): DenialRenderer {
  return (denial, req, res) => {
    res.statusCode = status;
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    if (text === undefined) {
      sendProblem(denial, req, res);
      return;
    }
    if (!res.hasHeader('Content-Type')) res.setHeader('Content-Type', type);
    res.end(text);
  };
}

function rendered(what: string, body: DenialTemplate['body']): Pick<FixedDenial, 'text' | 'type'> {
  if (body === undefined || typeof body === 'string') return { text: body, type: 'text/plain; charset=utf-8' };
  try {
    return { text: JSON.stringify(body), type: 'application/json; charset=utf-8' };
  } catch {
    throw new AplSessionError('config.invalid', `${what}: 'body' must be a string, or a value that JSON can hold.`);
  }
}

function headerValue(value: string, { error }: Joi.CustomHelpers): unknown {
  try {
    validateHeaderValue('header', value);
    return value;
  } catch {
    return error('any.custom', {
      error: new Error('has a character that no header value may have, for example a line break; remove it'),
    });
  }
}

/** With a wrong value, the client would read the rest of the body as the next response. */
export const FRAMING = /^(?:content-length|transfer-encoding|trailer)$/i;

function withValidNames(value: DenialTemplate, { error }: Joi.CustomHelpers): unknown {
  try {
    for (const name of Object.keys(value.headers ?? {})) validateHeaderName(name);
  } catch {
    return error('any.custom', {
      error: new Error("has a name in 'headers' that is no header name; use letters, digits and hyphens"),
    });
  }
  if (!Object.keys(value.headers ?? {}).some((name) => FRAMING.test(name))) return value;
  return error('any.custom', {
    error: new Error(
      "must not have Content-Length, Transfer-Encoding or Trailer in 'headers'; remove it, because Node sets the length itself",
    ),
  });
}
