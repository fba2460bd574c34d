/** The version of this package, for errors that name two of them; `test/package/copies.test.ts` holds that it is package.json's. */
export const VERSION = '0.1.0';
