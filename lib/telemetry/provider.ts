import { invalidConfig } from '../options/invalid-config.js';

/** @throws AplSessionError `config.invalid` */
export function assertProvider(what: string, provider: object, option: string, method: string, hint: string): void {
  if (typeof (provider as Readonly<Record<string, unknown>> | null)?.[method] === 'function') return;
  throw invalidConfig(what, `'${option}' has no method '${method}'. ${hint}`);
}
