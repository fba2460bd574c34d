import { mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
// TypeScript 7 has no compiler API
import ts from 'typescript5';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * The public API as text: for each entry point its exported names, then the declaration of each exported symbol and of
 * every type of this package that it mentions, without comments and without the file that holds it.
 */
export function publicApi(entries: readonly string[]): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'express-apl-session-api-')));
  try {
    symlinkSync(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
    emitDeclarations(entries, folder);
    return apiOf(entries, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function emitDeclarations(entries: readonly string[], outDir: string): void {
  const options: ts.CompilerOptions = {
    ...compilerOptions(),
    declaration: true,
    emitDeclarationOnly: true,
    removeComments: true,
    rootDir: join(PROJECT, 'lib'),
    outDir,
  };
  const files = entries.map((entry) => join(PROJECT, 'lib', `${entry}.ts`));
  ts.createProgram(files, options).emit();
}

function apiOf(entries: readonly string[], folder: string): string {
  const files = entries.map((entry) => join(folder, `${entry}.d.ts`));
  const program = ts.createProgram(files, compilerOptions());
  const checker = program.getTypeChecker();
  const declarations = new Set<string>();
  const seen = new Set<ts.Symbol>();

  const origin = (symbol: ts.Symbol): ts.Symbol =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const visit = (symbol: ts.Symbol): void => {
    if (seen.has(symbol)) return;
    seen.add(symbol);
    for (const declaration of symbol.declarations ?? []) {
      const isOurs = declaration.getSourceFile().fileName.startsWith(`${folder}/`);
      if (!isOurs || !isStatement(declaration)) continue;
      const statement = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
      declarations.add(statement.getText().replace(/^export (declare )?|^declare /, ''));
      const visitNames = (node: ts.Node): void => {
        const named = ts.isIdentifier(node) ? checker.getSymbolAtLocation(node) : undefined;
        if (named) visit(origin(named));
        ts.forEachChild(node, visitNames);
      };
      visitNames(declaration);
    }
  };

  const names = entries.map((entry, index) => {
    const file = program.getSourceFile(files[index] ?? '');
    const module = file && checker.getSymbolAtLocation(file);
    if (!module) throw new Error(`lib/${entry}.ts exports nothing`);
    const symbols = checker.getExportsOfModule(module);
    for (const symbol of symbols) visit(origin(symbol));
    const exported = symbols.map((symbol) => {
      const isValue = (origin(symbol).flags & ts.SymbolFlags.Value) !== 0;
      return `  ${isValue ? '' : 'type '}${symbol.getName()}`;
    });
    return `${basename(entry)}\n${exported.sort().join('\n')}\n`;
  });
  for (const file of program.getSourceFiles()) {
    if (!file.fileName.startsWith(`${folder}/`) || file.fileName.includes('/node_modules/')) continue;
    for (const statement of file.statements) {
      if (ts.isModuleDeclaration(statement)) declarations.add(statement.getText());
    }
  }
  return [...names, ...[...declarations].sort()].join('\n').concat('\n');
}

function isStatement(node: ts.Declaration): boolean {
  return (
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    (ts.isVariableDeclaration(node) && ts.isVariableStatement(node.parent.parent))
  );
}

function compilerOptions(): ts.CompilerOptions {
  return {
    target: ts.ScriptTarget.ES2023,
    lib: ['lib.es2023.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ['node'],
    typeRoots: [join(PROJECT, 'node_modules/@types')],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
  };
}
