// The gate's last line, from vitest's report: "N passed, N failed". A step before the tests that failed counts as one failure.
import { existsSync, readFileSync } from 'node:fs';

const status = Number(process.argv[2] ?? 0);
const report = new URL('../../coverage/vitest.json', import.meta.url);
let passed = 0;
let failed = 0;
if (existsSync(report)) {
  const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(readFileSync(report, 'utf8'));
  passed = numPassedTests;
  failed = numFailedTests > 0 ? numFailedTests : numFailedTestSuites > 0 && status !== 0 ? numFailedTestSuites : 0;
}
if (status !== 0 && failed === 0) {
  failed = 1;
}
console.log(`${passed} passed, ${failed} failed`);
