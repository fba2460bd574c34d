import { createRequire } from 'node:module';
import type { RequestHandler } from 'express';

type Make = (options: Readonly<Record<string, unknown>>) => RequestHandler;

// all libraries for tokens declare a type for req.auth, and one program cannot have several
const load = createRequire(import.meta.url);

export const { auth: oauth2JwtBearer } = load('express-oauth2-jwt-bearer') as { auth: Make };
export const { requireBearerAuth } = load('@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js') as {
  requireBearerAuth: Make;
};
export const { InvalidTokenError } = load('@modelcontextprotocol/sdk/server/auth/errors.js') as {
  InvalidTokenError: new (message: string) => Error;
};

export const SECRET = 'a secret of the tests, long enough for HS256';
export const ISSUER = 'https://issuer.example';
export const AUDIENCE = 'https://api.example';
