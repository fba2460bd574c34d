import type { Request } from 'express';
import { AplSessionError } from '../contract/errors.js';
import { malformed } from './accessor-value.js';
import type { SubjectSessionOptions } from './subject-session.js';
import { onRequest } from './verified-claims.js';

/**
 * For passport: `idOf` names the user in `req.user` (or passport's `userProperty`) by a non-empty string or a safe
 * integer. It must be unique over all strategies that the app uses. Nobody logged in is no subject; a user without id
 * is the error `session.invalid`, and so is a request that passport has not seen: mount it first.
 * @throws AplSessionError `config.invalid` if `idOf` is no function
 */
export function fromPassport<User>(
  idOf: (user: User) => string | number | null | undefined,
): Required<Pick<SubjectSessionOptions, 'subject'>> {
  if (typeof idOf !== 'function') {
    throw new AplSessionError('config.invalid', 'fromPassport takes a function that returns the id of a user.');
  }
  const subject = (req: Request): string | undefined => {
    if (typeof onRequest(req, 'isAuthenticated') !== 'function') {
      throw malformed('passport has not seen the request; mount it before aplSessionMiddleware');
    }
    const property = onRequest(req, '_userProperty');
    const user = onRequest(req, typeof property === 'string' ? property : 'user');
    // passport takes a truthy user for a login
    return user ? idText(idOf(user as User)) : undefined;
  };
  return { subject: Object.assign(subject, { explain: () => 'passport has put no user on the request' }) };
}

function idText(id: unknown): string {
  if (typeof id === 'string' && id !== '') return id;
  if (Number.isSafeInteger(id)) return String(id);
  throw malformed('the id of a user of passport must be a non-empty string or a safe integer');
}
