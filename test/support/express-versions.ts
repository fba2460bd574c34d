import { createRequire } from 'node:module';
import express from 'express';

/** What `import express from 'express'` gives. Express 4 brings no types of its own; what tests use is the same. */
export type ExpressModule = typeof express;

const express4 = createRequire(import.meta.url)('express4') as ExpressModule;

/** Every supported major version, for `describe` loops. */
export const EXPRESS_VERSIONS: ReadonlyArray<readonly [name: string, express: ExpressModule]> = [
  ['Express 5', express],
  ['Express 4', express4],
];
