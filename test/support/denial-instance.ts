/** Stands for the random id of a denial; it has the same length. */
export const ANY_INSTANCE = 'urn:uuid:00000000-0000-4000-8000-000000000000';

/** The id of a denial. */
export const INSTANCE = /urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g;

/** The ids of denials in a text. */
export function instancesIn(text: string): string[] {
  return [...text.matchAll(INSTANCE)].map(([instance]) => instance);
}

/** Puts `ANY_INSTANCE` in place of each id of a denial, so that a text can be compared. */
export function withAnyInstance(text: string): string {
  return text.replace(INSTANCE, ANY_INSTANCE);
}

/** The same for the strings in a value of JSON. */
export function anyInstanceIn<T>(value: T): T {
  return JSON.parse(withAnyInstance(JSON.stringify(value))) as T;
}
