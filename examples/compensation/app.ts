import express, { type Request, type RequestHandler } from 'express';
import { type AplSessionOptions, aplSessionMiddleware, denyIf, subjectSession, taint } from 'express-apl-session';

export function createApp(storeOptions: Pick<AplSessionOptions, 'store' | 'storeFactories'> = {}) {
  const aplSession = aplSessionMiddleware({
    session: subjectSession({ subject: subjectOf, sessionId: (req) => req.get('mcp-session-id') }),
    sessionless: 'deny',
    ...storeOptions,
  });

  const app = express();
  app.use(authenticate);
  app.use(aplSession);

  app.get('/compensation', taint('secret'), (_req, res) => {
    res.json({ 'software engineer': 98_000, 'staff engineer': 141_000 });
  });
  app.post(
    '/email',
    denyIf('secret', { code: 'session_tainted', reason: 'session touched secret data' }),
    (_req, res) => {
      res.status(202).json({ sent: true });
    },
  );
  app.get('/notes', (req, res) => {
    const notes = notesOn(req.query['topic']);
    if (notes.some(holdsPersonalData)) req.security.labels.add('PII');
    res.json(notes);
  });

  return { app, close: () => aplSession.close() };
}

/** Keeps the labels in this process, or in the Valkey at `VALKEY_URL`. The code for Valkey is loaded only if it is used. */
export async function storeFromEnvironment() {
  const endpoint = process.env['VALKEY_URL'];
  if (!endpoint) return { store: { kind: 'memory' } };
  const { valkeySessionStoreFactory } = await import('express-apl-session/valkey');
  return { store: { kind: 'valkey', endpoint, ttlSeconds: 86_400 }, storeFactories: [valkeySessionStoreFactory] };
}

/** The users of this example, by bearer token. A real app verifies its tokens. */
const SUBJECTS: ReadonlyMap<string, string> = new Map([
  ['alice-token', 'alice'],
  ['bob-token', 'bob'],
]);

function subjectOf(req: Request): string | undefined {
  return SUBJECTS.get(req.get('authorization')?.replace(/^Bearer /, '') ?? '');
}

const authenticate: RequestHandler = (req, res, next) => {
  if (subjectOf(req)) next();
  else res.status(401).set('WWW-Authenticate', 'Bearer').json({ error: 'unknown token' });
};

const NOTES: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['lunch', ['The canteen is closed on Friday.']],
  ['customers', ['Ada asks for an invoice: ada@customer.example']],
]);

function notesOn(topic: unknown): readonly string[] {
  return NOTES.get(topic) ?? [];
}

function holdsPersonalData(note: string): boolean {
  return /\S+@\S+/.test(note);
}
