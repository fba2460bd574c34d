import { createHash } from 'node:crypto';
import { access, appendFile, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AplSessionError, type SessionStore, type StoreFinding } from '../../../lib/index.js';

/** Keeps each session in one file of a folder, one label per line. Processes of one machine may share the folder. */
export class FileSessionStore implements SessionStore {
  readonly maxLabelsPerSession = 1_000;
  readonly #folder: string;
  #closed = false;

  /** @param folder must exist; nothing else may write to it */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async loadLabels(sessionId: string): Promise<Iterable<string>> {
    this.#assertOpen();
    const labels = new Set(parseLines(await this.#read(sessionId)));
    this.#assertCount(labels.size);
    return labels;
  }

  async appendLabels(sessionId: string, labels: readonly string[]): Promise<void> {
    this.#assertOpen();
    if (labels.length === 0) return;
    this.#assertCount(new Set(labels).size);
    // JSON has no line breaks, and the file is opened for appending: concurrent appends do not overwrite each other
    const lines = labels.map((label) => `${JSON.stringify(label)}\n`).join('');
    // flush: after a crash, a label that was acknowledged must still be there
    await appendFile(this.#fileOf(sessionId), lines, { flush: true });
  }

  async check(): Promise<readonly StoreFinding[]> {
    const { mode } = await stat(this.#folder);
    if ((mode & 0o022) === 0) return [{ name: 'folder_mode', status: 'ok', detail: 'Only the owner may write.' }];
    const fix = 'chmod 700 the folder.';
    return [{ name: 'folder_mode', status: 'warning', detail: 'Other users may write to the folder.', fix }];
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async #read(sessionId: string): Promise<string> {
    try {
      return await readFile(this.#fileOf(sessionId), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      // no file: an unknown session, unless the whole folder is missing. access() rejects then
      await access(this.#folder);
      return '';
    }
  }

  /** A session id may be any text, so it must not be a file name. */
  #fileOf(sessionId: string): string {
    return join(this.#folder, createHash('sha256').update(sessionId).digest('hex'));
  }

  #assertOpen(): void {
    if (this.#closed) throw new AplSessionError('store.closed', 'FileSessionStore is closed.');
  }

  #assertCount(count: number): void {
    if (count <= this.maxLabelsPerSession) return;
    throw new AplSessionError('store.too_many_labels', `A session may have ${this.maxLabelsPerSession} labels.`);
  }
}

/** Throws for a line that is not one label: a damaged file must not look like a session with fewer labels. */
function parseLines(text: string): string[] {
  if (text !== '' && !text.endsWith('\n')) throw malformed();
  return text.split('\n').slice(0, -1).map(parseLine);
}

function parseLine(line: string): string {
  let label: unknown;
  try {
    label = JSON.parse(line);
  } catch {
    throw malformed();
  }
  if (typeof label !== 'string') throw malformed();
  return label;
}

function malformed(): AplSessionError {
  return new AplSessionError('store.malformed_reply', 'The file of a session is damaged.');
}
