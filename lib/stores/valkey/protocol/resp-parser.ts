/** `+text`: a word such as OK. */
export class StatusReply {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** `-text`: an error. Not an `Error`, because its stack trace is expensive and some error replies are expected. */
export class ErrorReply {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A RESP2 reply. A string is a bulk string, decoded as UTF-8. */
export type Reply = string | number | null | StatusReply | ErrorReply | readonly Reply[];

/** An incomplete array. */
interface Frame {
  readonly items: Reply[];
  missing: number;
}

const CR = 13;
const LF = 10;
const NOTHING = Buffer.alloc(0);
const MAX_LINE_BYTES = 65_536;
/** The default limit of Valkey. */
const MAX_BULK_BYTES = 536_870_912;
const MAX_DEPTH = 8;

/**
 * A strict parser for RESP2. Any other bytes, also a type of RESP3, are an error that must end the connection, because
 * the position of later replies is unknown.
 */
export class RespParser {
  readonly #onReply: (reply: Reply) => void;
  readonly #frames: Frame[] = [];
  /** Bytes that are not parsed yet: the beginning of one line or bulk string. */
  #parts: Buffer[] = [];
  #heldBytes = 0;
  /** Parsing needs at least this many bytes. */
  #neededBytes = 1;
  #bytes: Buffer = NOTHING;
  #at = 0;
  #stopped = false;

  constructor(onReply: (reply: Reply) => void) {
    this.#onReply = onReply;
  }

  /** Stops the callbacks, also for bytes that `write` has received. */
  stop(): void {
    this.#stopped = true;
  }

  /** @throws Error for bytes that are not RESP2; the message does not repeat them */
  write(bytes: Buffer): void {
    this.#heldBytes += bytes.length;
    this.#parts.push(bytes);
    if (this.#heldBytes < this.#neededBytes) return;
    this.#bytes = this.#parts.length === 1 ? bytes : Buffer.concat(this.#parts);
    this.#at = 0;
    while (!this.#stopped && this.#readOne());
    const rest = this.#bytes.subarray(this.#at);
    this.#bytes = NOTHING;
    this.#parts = rest.length > 0 ? [rest] : [];
    this.#heldBytes = rest.length;
  }

  /** Parses one line and its bulk string, if it has one. Returns `false` if bytes are missing. */
  #readOne(): boolean {
    const start = this.#at;
    const end = this.#bytes.indexOf(CR, start);
    if (end < 0 || end + 1 >= this.#bytes.length) {
      if (this.#bytes.length - start > MAX_LINE_BYTES) throw malformed();
      this.#neededBytes = this.#bytes.length - start + 1;
      return false;
    }
    if (this.#bytes[end + 1] !== LF) throw malformed();
    switch (this.#bytes[start]) {
      case 36: // $
        return this.#readBulk(start, end);
      case 42: // *
        this.#readArray(this.#numberAt(start, end), end);
        return true;
      case 58: // :
        return this.#take(this.#numberAt(start, end), end + 2);
      case 43: // +
        return this.#take(new StatusReply(this.#bytes.toString('utf8', start + 1, end)), end + 2);
      case 45: // -
        return this.#take(new ErrorReply(this.#bytes.toString('utf8', start + 1, end)), end + 2);
      default:
        throw malformed();
    }
  }

  #readBulk(start: number, end: number): boolean {
    const length = this.#numberAt(start, end);
    if (length === -1) return this.#take(null, end + 2);
    if (length < 0 || length > MAX_BULK_BYTES) throw malformed();
    const from = end + 2;
    const to = from + length;
    if (to + 2 > this.#bytes.length) {
      this.#neededBytes = to + 2 - start;
      return false;
    }
    if (this.#bytes[to] !== CR || this.#bytes[to + 1] !== LF) throw malformed();
    return this.#take(this.#bytes.toString('utf8', from, to), to + 2);
  }

  #readArray(length: number, end: number): void {
    if (length <= 0) {
      if (length < -1) throw malformed();
      this.#take(length === 0 ? [] : null, end + 2);
      return;
    }
    if (this.#frames.length === MAX_DEPTH) throw malformed();
    this.#frames.push({ items: [], missing: length });
    this.#at = end + 2;
    this.#neededBytes = 1;
  }

  /** Parses the integer between the type byte and the end of the line. */
  #numberAt(start: number, end: number): number {
    const negative = this.#bytes[start + 1] === 45;
    const first = negative ? start + 2 : start + 1;
    // more digits than a JavaScript number holds exactly
    if (first === end || end - first > 15) throw malformed();
    let value = 0;
    for (let at = first; at < end; at += 1) {
      const digit = (this.#bytes[at] ?? 0) - 48;
      if (digit < 0 || digit > 9) throw malformed();
      value = value * 10 + digit;
    }
    return negative ? -value : value;
  }

  #take(value: Reply, next: number): true {
    this.#at = next;
    this.#neededBytes = 1;
    let whole = value;
    for (let frame = this.#frames.at(-1); frame; frame = this.#frames.at(-1)) {
      frame.items.push(whole);
      frame.missing -= 1;
      if (frame.missing > 0) return true;
      this.#frames.pop();
      whole = frame.items;
    }
    this.#onReply(whole);
    return true;
  }
}

function malformed(): Error {
  return new Error('The server did not answer in RESP2.');
}
