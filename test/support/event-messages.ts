/** A message of a stream of server-sent events. */
export interface EventMessage {
  readonly event: string;
  // the tests look into the data as they need
  readonly data: Record<string, unknown>;
}

/** The messages of a stream, as they arrive. Ends with the stream. */
export async function* eventMessages(answer: Response): AsyncGenerator<EventMessage> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const bytes of answer.body ?? []) {
    text += decoder.decode(bytes, { stream: true });
    const messages = text.split('\n\n');
    text = messages.pop() ?? '';
    for (const message of messages) {
      const event = /^event: (.*)$/m.exec(message)?.[1] ?? '';
      yield { event, data: JSON.parse(/^data: (.*)$/m.exec(message)?.[1] ?? '{}') };
    }
  }
}

/** The first message that fits. Ends the stream. */
export async function messageWith(answer: Response, fits: (message: EventMessage) => boolean): Promise<EventMessage> {
  for await (const message of eventMessages(answer)) if (fits(message)) return message;
  throw new Error('The stream has ended.');
}
