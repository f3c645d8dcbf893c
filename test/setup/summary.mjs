// The gate's last line, from vitest's report, the mutants' and that of chaos together (its run counts as one): "N passed, N failed". A step that failed
// without any of them saying so counts as one failure.
import { existsSync, readFileSync } from 'node:fs';

const status = Number(process.argv[2] ?? 0);
const report = new URL('../../coverage/vitest.json', import.meta.url);
const others = ['mutants', 'chaos']
  .map((name) => new URL(`../../coverage/${name}.json`, import.meta.url))
  .filter((file) => existsSync(file));
let passed = 0;
let failed = 0;
if (existsSync(report)) {
  const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(readFileSync(report, 'utf8'));
  passed = numPassedTests;
  failed = numFailedTests > 0 ? numFailedTests : numFailedTestSuites > 0 && status !== 0 ? numFailedTestSuites : 0;
}
for (const file of others) {
  const judged = JSON.parse(readFileSync(file, 'utf8'));
  passed += judged.passed;
  failed += judged.failed;
}
if (status !== 0 && failed === 0) {
  failed = 1;
}
console.log(`${passed} passed, ${failed} failed`);
