import { randomUUID } from 'node:crypto';

/** One request with its expected answer. */
export interface Step {
  readonly title: string;
  readonly token: 'alice-token' | 'bob-token';
  /** The `mcp-session-id` header. Without it the request gets the `identity` session of its user. */
  readonly session?: string;
  readonly request: 'GET /compensation' | 'GET /notes?topic=lunch' | 'GET /notes?topic=customers' | 'POST /email';
  readonly status: number;
  /** Members of the expected body. It may have others. */
  readonly body: Readonly<Record<string, unknown>>;
  /** The expected calls of the store, in order. */
  readonly store: readonly string[];
  readonly why: string;
}

/** The steps, with new session ids, so that the scenario can run again on the same store. */
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
      why: 'This session has no labels.',
    },
    {
      title: 'In the same session it reads salary data',
      token: 'alice-token',
      session: first,
      request: 'GET /compensation',
      ...salaries,
      store: ['load: nothing', 'append: secret'],
      why: "taint('secret') stored the label first. Then the data was read and sent.",
    },
    {
      title: 'The same session sends the same e-mail again',
      token: 'alice-token',
      session: first,
      request: 'POST /email',
      status: 403,
      body: { code: 'session_tainted', detail: 'session touched secret data' },
      store: ['load: secret'],
      why: 'The session has the label secret, so the guard refuses every e-mail of it.',
    },
    {
      title: 'Alice uses another session',
      token: 'alice-token',
      session: second,
      request: 'POST /email',
      ...sent,
      store: ['load: nothing'],
      why: 'Labels belong to a session, not to a user. This session has no labels.',
    },
    {
      title: "Bob sends the id of Alice's tainted session",
      token: 'bob-token',
      session: first,
      request: 'POST /email',
      ...sent,
      store: ['load: nothing'],
      why: 'The session id counts only together with the authenticated user, so this is another session.',
    },
    {
      title: "Bob reads salaries under the id of Alice's other session",
      token: 'bob-token',
      session: second,
      request: 'GET /compensation',
      ...salaries,
      store: ['load: nothing', 'append: secret'],
      why: 'The label goes to a session of Bob, although Alice uses the same id.',
    },
    {
      title: "Alice's other session has no label from Bob",
      token: 'alice-token',
      session: second,
      request: 'POST /email',
      ...sent,
      store: ['load: nothing'],
      why: 'A user cannot add labels to the session of another user.',
    },
    {
      title: 'Alice reads harmless notes',
      token: 'alice-token',
      session: second,
      request: 'GET /notes?topic=lunch',
      status: 200,
      body: { 0: 'The canteen is closed on Friday.' },
      store: ['load: nothing'],
      why: 'The notes hold no personal data, so the handler adds no label.',
    },
    {
      title: 'Alice reads notes that hold personal data',
      token: 'alice-token',
      session: second,
      request: 'GET /notes?topic=customers',
      status: 200,
      body: { 0: 'Ada asks for an invoice: ada@customer.example' },
      store: ['load: nothing', 'append: PII'],
      why: 'The handler added a label. The response was held until the label was stored.',
    },
    {
      title: 'Alice sends an e-mail from that session',
      token: 'alice-token',
      session: second,
      request: 'POST /email',
      ...sent,
      store: ['load: PII'],
      why: 'The guard of this route refuses the label secret, but not PII.',
    },
    {
      title: 'A request without a session id',
      token: 'alice-token',
      request: 'GET /notes?topic=lunch',
      status: 200,
      body: { 0: 'The canteen is closed on Friday.' },
      store: ['load: nothing'],
      why: 'It gets the identity session of Alice. An app can refuse such requests with a guard that checks req.security.source.',
    },
  ];
}
