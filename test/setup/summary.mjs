// The gate's last line, from vitest's report and the mutants' together: "N passed, N failed". A step that failed without either of them saying so counts
// as one failure.
import { existsSync, readFileSync } from 'node:fs';

const status = Number(process.argv[2] ?? 0);
const report = new URL('../../coverage/vitest.json', import.meta.url);
const mutants = new URL('../../coverage/mutants.json', import.meta.url);
let passed = 0;
let failed = 0;
if (existsSync(report)) {
  const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(readFileSync(report, 'utf8'));
  passed = numPassedTests;
  failed = numFailedTests > 0 ? numFailedTests : numFailedTestSuites > 0 && status !== 0 ? numFailedTestSuites : 0;
}
if (existsSync(mutants)) {
  const judged = JSON.parse(readFileSync(mutants, 'utf8'));
  passed += judged.passed;
  failed += judged.failed;
}
if (status !== 0 && failed === 0) {
  failed = 1;
}
console.log(`${passed} passed, ${failed} failed`);
