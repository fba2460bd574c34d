import { createRequire } from 'node:module';
import { fault, type SourceText } from './source-text.js';

/**
 * Loads an optional peer dependency when it is needed first, synchronously.
 * @throws PolicyDocumentError if it is not installed
 */
export function optionalPackage<Module>(name: string, neededFor: string, source: SourceText): Module {
  try {
    // the published file is CommonJS; without `require` the code runs from its sources
    const load = typeof require === 'function' ? require : createRequire(`${process.cwd()}/package.json`);
    return load(name) as Module;
  } catch (cause) {
    const error = fault(
      source,
      `${neededFor} needs the package ${name}, which cannot be loaded`,
      `Run: npm install ${name}`,
    );
    error.cause = cause;
    throw error;
  }
}
