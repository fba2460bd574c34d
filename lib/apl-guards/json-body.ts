import type { Response } from 'express';

/**
 * Calls back with the JSON text that Express is about to send by `res.json()`, or by `res.send()` with a type of JSON, and sends
 * the returned text. That is before Express makes its ETag and its length of it.
 */
export function interceptJson(res: Response, onText: (text: string) => string): void {
  const { json, send } = res;
  let isInJson = false;
  let isDone = false;
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
    if (isDone || res.headersSent || typeof body !== 'string' || !(isInJson || isJson(res.get('Content-Type')))) {
      return send.apply(this, args);
    }
    isDone = true;
    return send.apply(this, [onText(body), ...others] as unknown as Parameters<typeof send>);
  };
}

function isJson(type: string | undefined): boolean {
  return /^application\/(?:json|[\w.+-]+\+json)\s*(?:;|$)/i.test(type ?? '');
}

/** Writes a value as Express does. */
export function jsonText({ app }: Response, value: unknown): string {
  const text = JSON.stringify(value, undefined, app.get('json spaces') as string | number | undefined);
  if (!app.get('json escape')) return text;
  return text.replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);
}
