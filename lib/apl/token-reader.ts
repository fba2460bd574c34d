import { type Key, parseKey } from './key.js';
import { fault, type SourceText } from './source-text.js';
import { type Token, tokenize } from './tokens.js';

/** The words of a text, one after the other. */
export interface TokenReader {
  readonly peek: (ahead?: number) => Token | undefined;
  /** Takes the next token if it is of this text. */
  readonly accept: (...texts: string[]) => Token | undefined;
  readonly key: (fix: string) => { readonly key: Key; readonly token: Token };
  readonly expect: (text: string, fix: string) => Token;
  readonly next: () => Token | undefined;
  readonly wrong: (problem: string, fix: string) => Error;
  readonly unexpected: (fix: string) => Error;
}

export function tokenReader(source: SourceText): TokenReader {
  const tokens = tokenize(source);
  let at = 0;
  const peek = (ahead = 0) => tokens[at + ahead];
  const wrong = (problem: string, fix: string) => fault(source, problem, fix, peek()?.start ?? source.text.length);
  const unexpected = (fix: string) => {
    const token = peek();
    return wrong(token ? `Unexpected ${JSON.stringify(token.text)}` : 'The text ends too early', fix);
  };
  const accept = (...texts: string[]) => {
    const token = peek();
    if (token === undefined || token.kind === 'string' || !texts.includes(token.text)) return undefined;
    at++;
    return token;
  };
  return {
    peek,
    wrong,
    unexpected,
    accept,
    next: () => tokens[at++],
    expect: (text, fix) => {
      const token = accept(text);
      if (!token) throw unexpected(fix);
      return token;
    },
    key: (fix) => {
      const token = peek();
      if (token?.kind !== 'key') throw unexpected(fix);
      at++;
      return { key: parseKey(token.text), token };
    },
  };
}
