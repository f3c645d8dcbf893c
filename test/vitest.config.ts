import { defineConfig } from 'vitest/config';

/** What holds on any SQL Server, and knows no more of it than its connection string: each file runs once, in the project `conformance`. */
const conformance = ['test/sandbox/change-tracking/**/!(*.control).test.ts', 'test/contract/change-tracker.test.ts'];

/**
 * One project a kind of test; what each needs stands in test/README.md. Files run beside each other; those that start processes of their own
 * come last.
 */
export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    reporters: process.env['CI'] ? ['default', ['json', { outputFile: 'coverage/vitest.json' }]] : ['default'],
    globalSetup: [new URL('./support/temporary-folders.ts', import.meta.url).pathname],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Most tests wait for sockets and other processes: on two cores three of them beside each other take the time of one and a half.
    maxWorkers: 3,
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      // With the facts that take a sandbox under control: *.control.test.ts beside the others.
      { extends: true, test: { name: 'sandbox', include: ['test/sandbox/**/*.test.ts'], exclude: conformance } },
      {
        extends: true,
        test: {
          name: 'conformance',
          include: conformance,
          globalSetup: [new URL('./setup/conformance-server.ts', import.meta.url).pathname],
          setupFiles: [new URL('./setup/conformance-environment.ts', import.meta.url).pathname],
        },
      },
      { extends: true, test: { name: 'simulation', include: ['test/simulation/**/*.test.ts'] } },
      { extends: true, test: { name: 'contract', include: ['test/contract/**/*.test.ts'], exclude: conformance } },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
