import type { Request } from 'express';
import { ignoreRejection } from '../util/maybe-promise.js';

/** Returns the id of a request for the records of its labels; `undefined` if it has no id. */
export type RequestId = (req: Request) => string | undefined;

/** Visible ASCII without spaces. A client may have chosen the id, so it must not look like other text. */
const ID = /^[!-~]{1,128}$/;

/** The id that `requestId` returns. An invalid id, or an error of `requestId`, means that the request has no id. */
export function requestIdOf(req: Request, requestId: RequestId): string | undefined {
  try {
    const id: unknown = requestId(req);
    ignoreRejection(id);
    return typeof id === 'string' && ID.test(id) ? id : undefined;
  } catch {
    return undefined;
  }
}

/** `req.id`, which pino-http and express-request-id set. The header `x-request-id` is not used, because a client can choose it. */
export function defaultRequestId(req: Request): string | undefined {
  const { id } = req as { id?: unknown };
  return typeof id === 'number' ? String(id) : (id as string | undefined);
}
