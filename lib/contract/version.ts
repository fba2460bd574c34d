/** The version in package.json, for error messages; `test/package/copies.test.ts` compares the two. */
export const VERSION = '0.1.0';
