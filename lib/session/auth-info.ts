import { kindOfValue } from '../options/kind-of-value.js';
import { malformed } from './accessor-value.js';
import type { Members } from './verified-claims.js';

/** The accessors for the packages that set `req.auth`. */
export type AuthAccessor = 'fromExpressJwt' | 'fromOauth2JwtBearer' | 'fromMcpBearerAuth';

const PACKAGES: Readonly<Record<AuthAccessor, string>> = {
  fromExpressJwt: 'express-jwt',
  fromOauth2JwtBearer: 'express-oauth2-jwt-bearer',
  fromMcpBearerAuth: 'requireBearerAuth of the MCP SDK',
};

/**
 * Returns the members of a value that the package of this accessor has set. Refuses a value of another package, because a
 * member with the same name could have another meaning there.
 * @param place for example `req.auth`
 * @throws AplSessionError `session.invalid`
 */
export function authInfo(value: unknown, accessor: AuthAccessor, place: string): Members {
  const own = PACKAGES[accessor];
  if (!isObject(value)) throw malformed(`${accessor} reads ${place} of ${own}, an object; got ${kindOfValue(value)}`);
  const setter = setterOf(value);
  if (setter !== undefined && setter !== accessor) {
    throw malformed(`${accessor} reads ${place} of ${own}, but ${PACKAGES[setter]} has set it; use ${setter}`);
  }
  if (accessor === 'fromOauth2JwtBearer' && setter === undefined) {
    throw malformed(
      `${accessor} reads ${place} of ${own}, which has header, payload and token; use fromExpressJwt if express-jwt has set it`,
    );
  }
  return value;
}

/** The payload of a token, as express-jwt sets it, can have any members, so it is not recognized. */
function setterOf({ header, payload, token, clientId, scopes, extra }: Members): AuthAccessor | undefined {
  if (isObject(header) && isObject(payload) && typeof token === 'string') return 'fromOauth2JwtBearer';
  const hasClient = typeof clientId === 'string' && Array.isArray(scopes);
  return hasClient && (typeof token === 'string' || isObject(extra)) ? 'fromMcpBearerAuth' : undefined;
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null;
}
