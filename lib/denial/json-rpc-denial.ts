import Joi from 'joi';
import { parseOptions } from '../options/parse-options.js';
import { markUncalled } from '../options/uncalled.js';
import type { DenialRenderer } from './denial.js';

export interface JsonRpcDenialOptions {
  /**
   * The HTTP status. With 403 the client of the MCP SDK rejects the call with a transport error; its message has the body.
   * With 200 it rejects with the JSON-RPC error itself: code, message and data.
   * @default 403
   */
  readonly status?: number;
  /**
   * The code of the JSON-RPC error, an integer. The default is in the range that JSON-RPC reserves for servers.
   * @default -32003
   */
  readonly errorCode?: number;
}

const schema = Joi.object<Required<JsonRpcDenialOptions>>({
  // responses with these statuses have no body
  status: Joi.number().integer().min(200).max(599).invalid(204, 205, 304).default(403),
  errorCode: Joi.number().integer().default(-32_003),
});

/**
 * A denial renderer for JSON-RPC 2.0 and MCP. The error's message is the violation's reason and its `data` is `{ code,
 * instance }`. The `id` is the `id` of the JSON-RPC call in `req.body`. It is `null` for a batch, or if no body parser is mounted.
 *
 * @example
 * aplSessionMiddleware({ session: subjectSession({ subject: subjectOf }), denial: jsonRpcDenial() });
 *
 * @throws AplSessionError `config.invalid` for invalid options
 */
export function jsonRpcDenial(options: JsonRpcDenialOptions = {}): DenialRenderer {
  const { status, errorCode } = parseOptions('jsonRpcDenial', schema, options);
  return ({ code, reason, instance }, req, res) => {
    const error = { code: errorCode, message: reason, data: { code, instance } };
    res.statusCode = status;
    res.setHeader('Content-Type', 'application/json; charset=utf-8');
    res.end(JSON.stringify({ jsonrpc: '2.0', id: idOf(req.body), error }));
  };
}

markUncalled(jsonRpcDenial, 'denial: jsonRpcDenial()');

function idOf(body: unknown): string | number | null {
  const { id } = (typeof body === 'object' && body !== null ? body : {}) as { id?: unknown };
  return typeof id === 'string' || typeof id === 'number' ? id : null;
}
