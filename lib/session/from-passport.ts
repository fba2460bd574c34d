import type { Request } from 'express';
import { AplSessionError } from '../contract/errors.js';
import { kindOfValue } from '../options/kind-of-value.js';
import { markUncalled } from '../options/uncalled.js';
import { ignoreRejection } from '../util/maybe-promise.js';
import { malformed } from './accessor-value.js';
import type { SubjectSessionOptions } from './subject-session.js';
import { onRequest } from './verified-claims.js';

/**
 * The `subject` accessor for passport. A request without a login has no subject. A request that passport has not seen is
 * the error `session.invalid`, and so is a user without an id.
 *
 * @example
 * interface User { readonly id: string }
 * app.use(passport.session());
 * app.use(aplSessionMiddleware({ session: subjectSession(fromPassport((user: User) => user.id)) }));
 *
 * @param idOf returns the id of the user in `req.user` (or passport's `userProperty`): a non-empty string or a safe integer,
 * unique over all strategies of the app
 * @throws AplSessionError `config.invalid` if `idOf` is not a function
 */
export function fromPassport<User>(
  idOf: (user: User) => string | number | null | undefined,
): Required<Pick<SubjectSessionOptions, 'subject'>> {
  if (typeof idOf !== 'function') {
    throw new AplSessionError(
      'config.invalid',
      `fromPassport takes a function that returns the id of a user, for example fromPassport((user) => user.id); got ${kindOfValue(idOf)}.`,
    );
  }
  const subject = (req: Request): string | undefined => {
    if (typeof onRequest(req, 'isAuthenticated') !== 'function') {
      throw malformed('passport has not seen the request; mount it before aplSessionMiddleware');
    }
    const property = onRequest(req, '_userProperty');
    const user = onRequest(req, typeof property === 'string' ? property : 'user');
    // passport itself takes any truthy user for a login
    return user ? idText(idIn(user as User, idOf)) : undefined;
  };
  return { subject: Object.assign(subject, { explain: () => 'passport has put no user on the request' }) };
}

markUncalled(fromPassport, 'subjectSession({ ...fromPassport(...) })');

/** A `TypeError` most often means that the user has other members; all other errors of the app stay as they are. */
function idIn<User>(user: User, idOf: (user: User) => unknown): unknown {
  try {
    return idOf(user);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    const text = 'the user that passport has put on the request does not have the members that fromPassport() reads';
    throw malformed(`${text}; see the cause`, { cause });
  }
}

function idText(id: unknown): string {
  if (typeof id === 'string' && id !== '') return id;
  if (Number.isSafeInteger(id)) return String(id);
  ignoreRejection(id);
  throw malformed(
    `the id of a user from passport must be a non-empty string or a safe integer; the function in fromPassport() has returned ${kindOfValue(id)}`,
  );
}
