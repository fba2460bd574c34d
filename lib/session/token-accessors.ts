import type { Request } from 'express';
import Joi from 'joi';
import { parseOptions } from '../util/parse-options.js';
import { malformed } from './accessor-value.js';
import type { SubjectSessionOptions } from './subject-session.js';
import {
  type Members,
  membersOf,
  onRequest,
  type TokenAccessors,
  type TokenSessionOptions,
  textMember,
  tokenAccessors,
  tokenSessionOptions,
} from './verified-claims.js';

export interface ExpressJwtSessionOptions extends TokenSessionOptions {
  /** express-jwt's option of the same name. Default `auth`. */
  readonly requestProperty?: string;
}

const tokenSchema = Joi.object<Required<TokenSessionOptions>>(tokenSessionOptions);

const expressJwtSchema = Joi.object<Required<ExpressJwtSessionOptions>>({
  ...tokenSessionOptions,
  requestProperty: Joi.string().default('auth'),
});

/**
 * For express-jwt: subject and claim from the payload in `req.auth`. No payload (`credentialsRequired: false`) is no
 * subject. Mount express-jwt first.
 * @throws AplSessionError `config.invalid`
 */
export function fromExpressJwt(options: ExpressJwtSessionOptions): TokenAccessors {
  const { requestProperty, ...token } = parseOptions('fromExpressJwt', expressJwtSchema, options);
  return tokenAccessors(token, {
    source: `req.${requestProperty}`,
    claimsOf: (req) => {
      const payload = onRequest(req, requestProperty);
      return payload === undefined ? undefined : membersOf(payload, `req.${requestProperty}`);
    },
  });
}

/**
 * For express-oauth2-jwt-bearer: subject and claim from `req.auth.payload`. No `req.auth` (`authRequired: false`) is no
 * subject. Mount `auth()` first.
 * @throws AplSessionError `config.invalid`
 */
export function fromOauth2JwtBearer(options: TokenSessionOptions): TokenAccessors {
  return tokenAccessors(parseOptions('fromOauth2JwtBearer', tokenSchema, options), {
    source: 'req.auth',
    claimsOf: (req) => {
      const auth = onRequest(req, 'auth');
      return auth === undefined ? undefined : membersOf(membersOf(auth, 'req.auth')['payload'], 'req.auth.payload');
    },
  });
}

/**
 * For the MCP SDK's `requireBearerAuth`: the caller is `req.auth.clientId`; subject and claim come from `req.auth.extra`,
 * where the token verifier has to put them, because an MCP client is not a user. `requireBearerAuth` lets nobody pass
 * without `req.auth`, so a request without it is the error `session.invalid`: mount it first.
 * @throws AplSessionError `config.invalid`
 */
export function fromMcpBearerAuth(
  options: TokenSessionOptions,
): TokenAccessors & Required<Pick<SubjectSessionOptions, 'caller'>> {
  return {
    ...tokenAccessors(parseOptions('fromMcpBearerAuth', tokenSchema, options), {
      source: 'req.auth',
      claimsOf: (req) => membersOf(authInfoOf(req)['extra'], 'req.auth.extra'),
    }),
    caller: (req) => textMember(authInfoOf(req), 'clientId'),
  };
}

function authInfoOf(req: Request): Members {
  const auth = onRequest(req, 'auth');
  if (auth !== undefined) return membersOf(auth, 'req.auth');
  throw malformed('there is no req.auth; mount requireBearerAuth before aplSessionMiddleware');
}
