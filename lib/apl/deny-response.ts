import { validateHeaderName, validateHeaderValue } from 'node:http';
import { type DocumentNode, kindOfNode, type MapEntry, type MapNode } from './document-node.js';
import type { LanguageContext } from './language-context.js';
import { checkKeys } from './section-source.js';
import { fault } from './source-text.js';

/** How a denial of a section looks: the block `response:`. What is missing is up to the app. */
export interface DenyResponse {
  /** 300 to 599. */
  readonly status?: number;
  /** The exact body. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The block `response:` of a section. One beside `apl:` may also stand inside of it. */
export function parseResponse({ entries }: MapNode, context: LanguageContext): DenyResponse | undefined {
  const wrapper = entries.get('apl')?.value;
  const inner = wrapper?.kind === 'map' ? wrapper.entries.get('response') : undefined;
  const entry = entries.get('response') ?? inner;
  if (!entry) return undefined;
  if (inner && inner !== entry) throw fault(inner.key, 'There is another response: beside apl:', 'Keep one of them.');
  const block = mapOf(entry, 'Write status:, body: or headers: below it.');
  checkKeys(block, ['status', 'body', 'headers'], context);
  const [status, body, headers] = ['status', 'body', 'headers'].map((name) => block.entries.get(name));
  return Object.freeze({
    ...(status && { status: statusOf(status) }),
    ...(body && { body: textOf(body) }),
    ...(headers && { headers: headersOf(headers) }),
  });
}

function statusOf({ key, value }: MapEntry): number {
  const status = value.kind === 'scalar' ? value.value : undefined;
  if (typeof status === 'number' && Number.isInteger(status) && status >= 300 && status <= 599) return status;
  throw fault(key, 'The status of a denial must be a number from 300 to 599', 'Write status: 403.');
}

function headersOf(entry: MapEntry): Readonly<Record<string, string>> {
  const headers = [...mapOf(entry, 'Write a map of names and values.').entries].map(([name, member]) => {
    const value = textOf(member);
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch {
      throw fault(member.key, 'The header is not valid', 'Use the characters that HTTP allows.');
    }
    return [name, value] as const;
  });
  return Object.freeze(Object.fromEntries(headers));
}

function textOf({ key, value }: MapEntry): string {
  if (value.kind === 'text') return value.source.text;
  throw fault(key, `The value is ${kindOfNode(value)}`, 'Write a string.');
}

/** @throws PolicyDocumentError if the value of a key is no map */
export function mapOf({ key, value }: { key: MapEntry['key']; value: DocumentNode }, fix: string): MapNode {
  if (value.kind === 'map') return value;
  throw fault(key, `The value is ${kindOfNode(value)}`, fix);
}
