import type { Request } from 'express';
import Joi from 'joi';
import { parseOptions } from '../options/parse-options.js';
import { markUncalled } from '../options/uncalled.js';
import { malformed } from './accessor-value.js';
import { authInfo } from './auth-info.js';
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
  /**
   * express-jwt's option of the same name.
   * @default 'auth'
   */
  readonly requestProperty?: string;
}

const tokenSchema = Joi.object<Required<TokenSessionOptions>>(tokenSessionOptions);

const expressJwtSchema = Joi.object<Required<ExpressJwtSessionOptions>>({
  ...tokenSessionOptions,
  requestProperty: Joi.string().default('auth'),
});

/**
 * Accessors for express-jwt: they read subject and claim from the payload in `req.auth`. A request without a payload
 * (`credentialsRequired: false`) has no subject. Mount express-jwt first.
 *
 * @example
 * app.use(expressjwt({ secret: 'a secret', algorithms: ['HS256'] }));
 * app.use(aplSessionMiddleware({ session: subjectSession(fromExpressJwt({ issuer: 'https://issuer.example' })) }));
 *
 * @throws AplSessionError `config.invalid` for invalid options
 */
export function fromExpressJwt(options: ExpressJwtSessionOptions): TokenAccessors {
  const { requestProperty, ...token } = parseOptions('fromExpressJwt', expressJwtSchema, options);
  return tokenAccessors(token, {
    source: `req.${requestProperty}`,
    claimsOf: (req) => {
      const payload = onRequest(req, requestProperty);
      return payload === undefined ? undefined : authInfo(payload, 'fromExpressJwt', `req.${requestProperty}`);
    },
  });
}

/**
 * Accessors for express-oauth2-jwt-bearer: they read subject and claim from `req.auth.payload`. A request without `req.auth`
 * (`authRequired: false`) has no subject. Mount `auth()` first.
 *
 * @example
 * app.use(auth({ issuerBaseURL: 'https://issuer.example', audience: 'https://api.example' }));
 * app.use(aplSessionMiddleware({ session: subjectSession(fromOauth2JwtBearer({ issuer: 'https://issuer.example' })) }));
 *
 * @throws AplSessionError `config.invalid` for invalid options
 */
export function fromOauth2JwtBearer(options: TokenSessionOptions): TokenAccessors {
  return tokenAccessors(parseOptions('fromOauth2JwtBearer', tokenSchema, options), {
    source: 'req.auth',
    claimsOf: (req) => {
      const auth = onRequest(req, 'auth');
      if (auth === undefined) return undefined;
      return membersOf(authInfo(auth, 'fromOauth2JwtBearer', 'req.auth')['payload'], 'req.auth.payload');
    },
  });
}

/**
 * Accessors for `requireBearerAuth` of the MCP SDK. The caller is `req.auth.clientId`. Subject and claim are in
 * `req.auth.extra`: your token verifier must put them there, because an MCP client is not a user. A request without `req.auth`
 * is the error `session.invalid`; mount `requireBearerAuth` first.
 *
 * @example
 * app.use('/mcp', requireBearerAuth({ verifier }));
 * app.use('/mcp', aplSessionMiddleware({ session: subjectSession(fromMcpBearerAuth({ issuer: 'https://issuer.example' })) }));
 *
 * @throws AplSessionError `config.invalid` for invalid options
 */
export function fromMcpBearerAuth(
  options: TokenSessionOptions,
): TokenAccessors & Required<Pick<SubjectSessionOptions, 'caller'>> {
  return {
    ...tokenAccessors(parseOptions('fromMcpBearerAuth', tokenSchema, options), {
      source: 'req.auth',
      claimsOf: (req) => extraOf(authInfoOf(req)),
    }),
    caller: (req) => textMember(authInfoOf(req), 'clientId'),
  };
}

for (const accessor of [fromExpressJwt, fromOauth2JwtBearer, fromMcpBearerAuth]) {
  markUncalled(accessor, `subjectSession({ ...${accessor.name}(...) })`);
}

function extraOf({ extra }: Members): Members {
  if (extra !== undefined) return membersOf(extra, 'req.auth.extra');
  throw malformed(
    'req.auth has no extra; the verifier of requireBearerAuth must put the claims there (use fromExpressJwt if express-jwt has set req.auth)',
  );
}

function authInfoOf(req: Request): Members {
  const auth = onRequest(req, 'auth');
  if (auth !== undefined) return authInfo(auth, 'fromMcpBearerAuth', 'req.auth');
  throw malformed('req.auth is missing; mount requireBearerAuth before aplSessionMiddleware');
}
