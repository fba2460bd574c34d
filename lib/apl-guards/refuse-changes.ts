import { invalidConfig } from '../options/invalid-config.js';

/** @throws AplSessionError `config.invalid` if there are chains that change arguments */
export function refuseChanges(name: string, places: readonly string[]): void {
  const [first] = places;
  if (first === undefined) return;
  throw invalidConfig(
    name,
    `${first} changes an argument of the request. Set transformArgs: true if the handler may get the changed value, or use only stages that check`,
  );
}
