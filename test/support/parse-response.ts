import { gunzipSync } from 'node:zlib';
import { expect } from 'chai';

export interface ParsedResponse {
  readonly status: number;
  readonly reason: string;
  /** As on the wire, in order. */
  readonly headers: ReadonlyArray<{ readonly name: string; readonly value: string }>;
  /** Decoded: without chunks, and unzipped. */
  readonly body: string;
  header(name: string): string | undefined;
}

/** Reads responses that must fill `text` exactly; throws on whatever is malformed, incomplete or left over. */
export function parseResponses(text: string, methods: readonly string[] = ['GET']): ParsedResponse[] {
  let rest = text;
  const responses = methods.map((method) => {
    const end = rest.indexOf('\r\n\r\n');
    const [statusLine = '', ...lines] = rest.slice(0, end).split('\r\n');
    const [, status, reason = ''] = /^HTTP\/1\.1 (\d{3}) ([^\r\n]*)$/.exec(statusLine) ?? [];
    if (end < 0 || !status) throw new Error(`No response head at: ${JSON.stringify(rest.slice(0, 200))}`);
    const headers = lines.map((line) => {
      const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): (.*)$/.exec(line) ?? [];
      if (name === undefined || value === undefined) throw new Error(`Malformed header: ${line}`);
      return { name, value };
    });
    const header = (name: string) => headers.find((one) => one.name.toLowerCase() === name)?.value;
    rest = rest.slice(end + 4);
    let raw = '';
    if (method !== 'HEAD' && status !== '204' && status !== '304') {
      const length = header('content-length');
      if (header('transfer-encoding') === 'chunked') ({ body: raw, rest } = dechunk(rest));
      else if (length === undefined) throw new Error('Neither a length nor chunks.');
      else if (rest.length < Number(length)) throw new Error(`Truncated: ${rest.length} of ${length} bytes.`);
      else [raw, rest] = [rest.slice(0, Number(length)), rest.slice(Number(length))];
    }
    const body =
      header('content-encoding') === 'gzip' ? gunzipSync(Buffer.from(raw, 'latin1')).toString('latin1') : raw;
    return { status: Number(status), reason, headers, body, header };
  });
  if (rest !== '') throw new Error(`Left over: ${JSON.stringify(rest.slice(0, 200))}`);
  return responses;
}

function dechunk(text: string): { body: string; rest: string } {
  let body = '';
  let rest = text;
  for (;;) {
    const [line, size] = /^([0-9a-f]+)\r\n/.exec(rest) ?? [];
    if (line === undefined || size === undefined)
      throw new Error(`Malformed chunk at: ${JSON.stringify(rest.slice(0, 80))}`);
    const length = Number.parseInt(size, 16);
    const chunk = rest.slice(line.length, line.length + length);
    if (chunk.length < length || !rest.startsWith('\r\n', line.length + length)) throw new Error('Truncated chunk.');
    rest = rest.slice(line.length + length + 2);
    body += chunk;
    if (length === 0) return { body, rest };
  }
}

/** The one response in `text`. */
export function parseResponse(text: string, method = 'GET'): ParsedResponse {
  const [response] = parseResponses(text, [method]);
  if (!response) throw new Error('No response.');
  return response;
}

/** The text with what differs from run to run made equal. Gzip bodies are decoded, since their chunks are cut by time. */
export function normalised(text: string): string {
  const end = text.indexOf('\r\n\r\n') + 4;
  const head = text
    .slice(0, end)
    .replace(/^(Date|X-Response-Time|RateLimit-Reset): .*$/gim, '$1: *')
    .replace(/Expires=[^;\r]*/g, 'Expires=*');
  return /^Content-Encoding: gzip\r$/im.test(head) ? head + parseResponse(text).body : head + text.slice(end);
}

/** Asserts that the response is a denial, with its own headers, `kept`, and no others. */
export function expectDenial(response: ParsedResponse, code: string, kept: readonly string[]): void {
  expect(response.status).to.equal(403);
  expect(response.reason).to.equal('Forbidden');
  expect(JSON.parse(response.body)).to.include({ status: 403, title: 'Forbidden', code });
  expect(response.header('content-type')).to.equal('application/problem+json; charset=utf-8');
  expect(response.header('cache-control')).to.equal('no-store');
  const names = new Set(response.headers.map(({ name }) => name.toLowerCase()));
  const own = ['content-type', 'cache-control', 'content-length', 'date', 'connection'];
  expect([...names].sort()).to.deep.equal([...new Set([...kept, ...own])].sort());
}
