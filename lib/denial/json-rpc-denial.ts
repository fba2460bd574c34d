import Joi from 'joi';
import { parseOptions } from '../util/parse-options.js';
import type { DenialRenderer } from './denial.js';

export interface JsonRpcDenialOptions {
  /**
   * The HTTP status. Default 403, for which the client of the MCP SDK rejects the call with an error of the transport that
   * has the answer in its message. With 200 it rejects with the JSON-RPC error itself: code, message and data.
   */
  readonly status?: number;
  /** The code of the JSON-RPC error, an integer. Default -32003, of the range that JSON-RPC leaves to servers. */
  readonly errorCode?: number;
}

const schema = Joi.object<Required<JsonRpcDenialOptions>>({
  // those without a body could not carry the error
  status: Joi.number().integer().min(200).max(599).invalid(204, 205, 304).default(403),
  errorCode: Joi.number().integer().default(-32_003),
});

/**
 * A renderer of denials for JSON-RPC 2.0, which MCP speaks: an error whose message is the violation's reason and whose
 * `data` is `{ code }`. It has the id of the call if a body parser has put one single call on `req.body`, else `null`.
 *
 * @throws AplSessionError `config.invalid`
 */
export function jsonRpcDenial(options: JsonRpcDenialOptions = {}): DenialRenderer {
  const { status, errorCode } = parseOptions('jsonRpcDenial', schema, options);
  return ({ code, reason }, req, res) => {
    const error = { code: errorCode, message: reason, data: { code } };
    res.statusCode = status;
    res.setHeader('Content-Type', 'application/json; charset=utf-8');
    res.end(JSON.stringify({ jsonrpc: '2.0', id: idOf(req.body), error }));
  };
}

function idOf(body: unknown): string | number | null {
  const { id } = (typeof body === 'object' && body !== null ? body : {}) as { id?: unknown };
  return typeof id === 'string' || typeof id === 'number' ? id : null;
}
