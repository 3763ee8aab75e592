// Runs every test and sums up in one line. Arguments are vitest's: `make test ARGS=test/console.test.ts`.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';

const LIMIT_MS = 30 * 60_000;
const results = 'build/test/results.json';
mkdirSync('build/test', { recursive: true });
rmSync(results, { force: true });

const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${results}`];
if (process.env.CI) reporters.push('--reporter=junit', '--outputFile.junit=build/test/junit.xml');
const { status, signal } = spawnSync(
  'node_modules/.bin/vitest',
  ['run', '--config', 'test/vitest.config.ts', ...reporters, ...process.argv.slice(2)],
  {
    stdio: 'inherit',
    timeout: LIMIT_MS,
  },
);

let passed = 0;
let failed = 0;
try {
  const summary = JSON.parse(readFileSync(results, 'utf8'));
  passed = summary.numPassedTests;
  // A file that can't be loaded has no tests that could fail.
  failed =
    summary.numFailedTests + summary.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length;
} catch {
  console.error(`test: no results were written${signal ? `: ended by ${signal} after ${LIMIT_MS / 60_000} minutes at most` : ''}`);
}
if (status !== 0 && failed === 0) failed = 1;
if (passed === 0 && failed === 0) failed = 1;
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
