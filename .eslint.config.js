import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['build/**', '.cache/**', 'node_modules/**'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['*.js', '*.ts'] }, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Indices within bounds that the lines before establish; noUncheckedIndexedAccess asks for the mark.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allow: [{ name: ['bigint'], from: 'lib' }] },
      ],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      // Objects here are made of closures, which need no receiver.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // Spreading a string gives its code points, which is what is wanted wherever it is done.
      '@typescript-eslint/no-misused-spread': 'off',
      // `for (;;)` with a way out inside is how a bounded search reads best.
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
    },
  },
  {
    files: ['kernel/**/*.ts', 'partitions/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-globals': ['error', 'Date', 'Promise', 'setTimeout', 'console', 'performance'],
      // A second CPU is a second object: no mutable state at module level.
      'no-restricted-syntax': [
        'error',
        { selector: 'Program > VariableDeclaration[kind!="const"]', message: 'Module-level state: put it into the object that needs it.' },
        {
          selector: 'Program > ExportNamedDeclaration > VariableDeclaration[kind!="const"]',
          message: 'Module-level state: put it into the object that needs it.',
        },
        { selector: ':function[async=true]', message: 'The kernel has one event loop and no promises.' },
      ],
    },
  },
  {
    files: ['**/*.test.ts'],
    rules: {
      // expect.stringContaining and its like are typed any.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      // What must be survived has to be made first.
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
      '@typescript-eslint/restrict-plus-operands': 'off',
    },
  },
  { files: ['**/*.js', '**/*.mjs', '**/*.cjs'], ...tseslint.configs.disableTypeChecked },
);
