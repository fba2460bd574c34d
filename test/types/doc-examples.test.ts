import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { compilerFaults } from '../support/compiler.js';

/** What examples use without an import of their own: the main entry, Express, the policy language, and parts of an app. */
const PRELUDE = `
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import express, { type Express, type Request, type RequestHandler } from 'express';
import { expressjwt } from 'express-jwt';
import { auth } from 'express-oauth2-jwt-bearer';
import expressSession from 'express-session';
import passport from 'passport';
import {
  type AplSessionEvents, type AplSessionMiddleware, allowOnly, aplSessionMiddleware, denyIf, fromExpressJwt, fromExpressSession, fromMcpBearerAuth, fromOauth2JwtBearer, fromPassport, healthHandler,
  jsonRpcDenial, MemorySessionStore, openSession, policy, PolicyViolation, policyViolationHandler, requireSession, requireThat,
  type SessionResolver, type SessionStore, type SessionStoreBlock, sessionStoreBlock, subjectSession, taint, type Violation,
} from 'express-apl-session';
import {
  apl, aplPolicies, type Attributes, attributesOfValue, compileChain, compileDocument, compilePredicate, compileSection, explain, type Plugin, PolicyDocumentError,
} from 'express-apl-session/apl';
import { dashboard } from 'express-apl-session/dashboard';
import { prometheusMetrics } from 'express-apl-session/metrics';
import { openTelemetryMetrics, openTelemetryTraces } from 'express-apl-session/opentelemetry';
import { ValkeySessionStore, valkeySessionStoreFactory } from 'express-apl-session/valkey';

declare const app: Express;
declare const server: Server;
declare const aplSession: AplSessionMiddleware;
declare const session: SessionResolver;
declare function subjectOf(req: Request): string | undefined;
declare function readNotes(): Promise<ReadonlyArray<{ readonly pii: boolean }>>;
// the types of the MCP SDK and of express-oauth2-jwt-bearer both declare req.auth, and contradict each other
declare function requireBearerAuth(options: { verifier: object }): RequestHandler;
declare const verifier: object;
declare const requireAdmin: RequestHandler;
declare const job: { readonly sessionId: string };
declare const store: MemorySessionStore;
declare const text: string;
declare function isOpen(): boolean;
declare const db: {
  column(sql: string, values: readonly unknown[]): Promise<string[]>;
  run(sql: string, values: readonly unknown[]): Promise<void>;
};
`;

describe('examples in doc comments', function () {
  this.timeout(60_000);

  it('compile against the package', () => {
    const examples = docExamples();
    expect(examples.length).to.be.greaterThan(15);
    const functions = examples.map((example) => {
      const body = example.replace(/^import (\{.*\}) from ('.*');$/gm, 'const $1 = await import($2);');
      return `void (async () => {\n${body}\n});`;
    });
    expect(compilerFaults([PRELUDE, ...functions].join('\n'))).to.equal('');
  });
});

/** The text of each `@example`, up to the next tag or the end of its comment. */
function docExamples(): string[] {
  const lib = fileURLToPath(new URL('../../lib/', import.meta.url));
  const paths = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
  return paths.flatMap((path) => {
    const comments = readFileSync(lib + path, 'utf8').match(/\/\*\*.*?\*\//gs) ?? [];
    const texts = comments.map((comment) => comment.replace(/^\s*\/?\*+\/? ?/gm, ''));
    return texts.flatMap((text) =>
      [...text.matchAll(/^@example\n(.*?)(?=^@|$(?![\s\S]))/gms)].map(([, code]) => code ?? ''),
    );
  });
}
