import type { Response } from 'express';
import { interceptEnd, type JsonListener } from './collected-body.js';

/** Calls the listener for the JSON text that a response is about to send, once. */
export function interceptJson(res: Response, listener: JsonListener): void {
  let isDone = false;
  const once: JsonListener = {
    isOpen: () => !isDone && !res.headersSent && listener.isOpen(),
    onText: (text, head) => {
      isDone = true;
      return listener.onText(text, head);
    },
  };
  interceptSend(res, once);
  interceptEnd(res, once, isJson);
}

/** Before Express makes its ETag and its length of a text. */
function interceptSend(res: Response, { isOpen, onText }: JsonListener): void {
  const { json, send } = res;
  let isInJson = false;
  res.json = function (this: Response, ...args: Parameters<typeof json>) {
    const wasInJson = isInJson;
    isInJson = true;
    try {
      return json.apply(this, args);
    } finally {
      isInJson = wasInJson;
    }
  };
  res.send = function (this: Response, ...args: Parameters<typeof send>) {
    const [body, ...others]: readonly unknown[] = args;
    // an object leads to json(), which calls send() again
    const isBody = typeof body === 'string' || body instanceof Uint8Array;
    if (!isBody || !(isInJson || isJson(res.get('Content-Type'))) || !isOpen()) return send.apply(this, args);
    const text = typeof body === 'string' ? body : Buffer.from(body).toString('utf8');
    const changed = onText(text);
    const sent = changed === text ? body : typeof body === 'string' ? changed : Buffer.from(changed);
    return send.apply(this, [sent, ...others] as unknown as Parameters<typeof send>);
  };
}

function isJson(type: unknown): boolean {
  return typeof type === 'string' && /^application\/(?:json|[\w.+-]+\+json)\s*(?:;|$)/i.test(type);
}

/** Writes a value as Express does. */
export function jsonText({ app }: Response, value: unknown): string {
  const text = JSON.stringify(value, undefined, app.get('json spaces') as string | number | undefined);
  if (!app.get('json escape')) return text;
  return text.replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);
}
