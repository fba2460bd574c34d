import { randomUUID } from 'node:crypto';

/** One request, and everything that must come of it. */
export interface Step {
  readonly title: string;
  readonly token: 'alice-token' | 'bob-token';
  /** The `mcp-session-id` header; without it the session is that of the person. */
  readonly session?: string;
  readonly request: 'GET /compensation' | 'GET /notes?topic=lunch' | 'GET /notes?topic=customers' | 'POST /email';
  readonly status: number;
  /** Members that the body must have. */
  readonly body: Readonly<Record<string, unknown>>;
  /** What the store was asked for, in order. */
  readonly store: readonly string[];
  readonly why: string;
}

/** The story, with session ids that were never used before, so that it can be told again on the same store. */
export function scenario(): readonly Step[] {
  const first = `chat-${randomUUID()}`;
  const second = `chat-${randomUUID()}`;
  const sent = { status: 202, body: { sent: true } } as const;
  const salaries = { status: 200, body: { 'software engineer': 98_000 } } as const;
  return [
    {
      title: "Alice's agent sends an e-mail from a new session",
      token: 'alice-token',
      session: first,
      request: 'POST /email',
      ...sent,
      store: ['load: nothing'],
      why: 'This session has touched nothing secret.',
    },
    {
      title: 'In the same session it reads salary data',
      token: 'alice-token',
      session: first,
      request: 'GET /compensation',
      ...salaries,
      store: ['load: nothing', 'append: secret'],
      why: "taint('secret') stored the label first; only then was the data read and sent.",
    },
    {
      title: 'The same session asks for the same e-mail once more',
      token: 'alice-token',
      session: first,
      request: 'POST /email',
      status: 403,
      body: { code: 'session_tainted', detail: 'session touched secret data' },
      store: ['load: secret'],
      why: 'The e-mail is clean, the session is not: nothing goes out of it any more.',
    },
    {
      title: 'Alice uses another session',
      token: 'alice-token',
      session: second,
      request: 'POST /email',
      ...sent,
      store: ['load: nothing'],
      why: 'Labels belong to a session, not to a person.',
    },
    {
      title: "Bob sends the id of Alice's tainted session",
      token: 'bob-token',
      session: first,
      request: 'POST /email',
      ...sent,
      store: ['load: nothing'],
      why: 'A session id is bound to who is authenticated, so this is another session.',
    },
    {
      title: "Bob reads salaries under the id of Alice's other session",
      token: 'bob-token',
      session: second,
      request: 'GET /compensation',
      ...salaries,
      store: ['load: nothing', 'append: secret'],
      why: 'This taints a session of Bob, although the id is the one that Alice uses.',
    },
    {
      title: "Alice's other session is as it was",
      token: 'alice-token',
      session: second,
      request: 'POST /email',
      ...sent,
      store: ['load: nothing'],
      why: 'Nobody can poison the session of somebody else.',
    },
    {
      title: 'Alice reads harmless notes',
      token: 'alice-token',
      session: second,
      request: 'GET /notes?topic=lunch',
      status: 200,
      body: { 0: 'The canteen is closed on Friday.' },
      store: ['load: nothing'],
      why: 'No personal data, so no label and no write.',
    },
    {
      title: 'Alice reads notes that hold personal data',
      token: 'alice-token',
      session: second,
      request: 'GET /notes?topic=customers',
      status: 200,
      body: { 0: 'Ada asks for an invoice: ada@customer.example' },
      store: ['load: nothing', 'append: PII'],
      why: 'The handler added a label in the middle of its work; the answer waited until it was stored.',
    },
    {
      title: 'PII is a label that the e-mail route does not refuse',
      token: 'alice-token',
      session: second,
      request: 'POST /email',
      ...sent,
      store: ['load: PII'],
      why: 'Each route names the labels that it minds.',
    },
    {
      title: 'A request without a session id',
      token: 'alice-token',
      request: 'GET /notes?topic=lunch',
      status: 200,
      body: { 0: 'The canteen is closed on Friday.' },
      store: ['load: nothing'],
      why: 'It belongs to the one session that Alice has without an id. An app that wants none of these refuses them.',
    },
  ];
}
