import type { Request, Response } from 'express';
import { errorText } from '../alarms/redact.js';
import { AplSessionError } from '../contract/errors.js';
import type { SessionExplanation } from '../contract/provenance.js';
import type { SessionStore } from '../contract/session-store.js';
import { withDeadline } from '../util/deadlines.js';
import { answer } from './answers.js';

/** A store that can explain. */
export type ExplainingStore = SessionStore & Required<Pick<SessionStore, 'explain'>>;

const MAX_BODY_BYTES = 4_096;
const MAX_ID_LENGTH = 1_024;
const DEFAULT_TIMEOUT_MS = 1_000;
const DEADLINE_MARGIN_MS = 50;

/** Answers with the labels of the session whose id is in the body: `{ "sessionId": "…" }`. Never rejects. */
export async function explainSession(store: ExplainingStore, req: Request, res: Response): Promise<void> {
  const id = await sessionIdIn(req);
  if (id === undefined) {
    answerJson(res, 400, { code: 'request', message: 'The body must be { "sessionId": "…" } as application/json.' });
    return;
  }
  try {
    answerJson(res, 200, await explanationOf(store, id));
  } catch (error) {
    const code = error instanceof AplSessionError ? error.code : 'store';
    answerJson(res, 503, { code, message: errorText(error, [id]) });
  }
}

function explanationOf(store: ExplainingStore, id: string): Promise<SessionExplanation> {
  const timeoutMs = store.deadlineMs === undefined ? DEFAULT_TIMEOUT_MS : store.deadlineMs + DEADLINE_MARGIN_MS;
  const tooLate = (): AplSessionError =>
    new AplSessionError('store.timeout', `The session store did not explain the session within ${timeoutMs} ms.`);
  return withDeadline(() => store.explain(id), timeoutMs, tooLate);
}

/** `undefined` for a body that does not fit. A body parser of the app may have read it. */
async function sessionIdIn(req: Request): Promise<string | undefined> {
  const length = Number(req.get('content-length') ?? Number.NaN);
  // a form of another site can not send this type
  if (!/^application\/json\b/.test(req.get('content-type') ?? '') || !(length <= MAX_BODY_BYTES)) return undefined;
  try {
    const body: unknown = req.body ?? JSON.parse(await textOf(req));
    const { sessionId } = body as { sessionId?: unknown };
    const fits = typeof sessionId === 'string' && sessionId !== '' && sessionId.length <= MAX_ID_LENGTH;
    return fits ? sessionId : undefined;
  } catch {
    return undefined;
  }
}

async function textOf(req: Request): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function answerJson(res: Response, status: number, body: object): void {
  answer(res, status, JSON.stringify(body), 'application/json');
}
