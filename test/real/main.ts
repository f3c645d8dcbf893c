/**
 * `npm run test:real`: the suites that hold for any SQL Server and any Redis, on real ones. It takes PATCHWIRE_TEST_MSSQL and
 * PATCHWIRE_TEST_REDIS where they are set, and starts containers for those that are not. Without a container engine it says what to set.
 * Accepting SQL Server's licence is the caller's: the container is started only with ACCEPT_EULA=Y in the environment.
 */
import { spawnSync } from 'node:child_process';
import { GenericContainer, getContainerRuntimeClient, Wait } from 'testcontainers';

const SQL_SERVER_IMAGE = 'mcr.microsoft.com/mssql/server:2022-latest';
const REDIS_IMAGE = 'redis:7-alpine';
const START_LIMIT_MS = 180_000;

const env: NodeJS.ProcessEnv = { ...process.env };
const missing = ['PATCHWIRE_TEST_MSSQL', 'PATCHWIRE_TEST_REDIS'].filter((name) => (env[name] ?? '') === '');

if (missing.length > 0) {
  try {
    // A docker client on the PATH proves nothing: this asks the engine.
    await getContainerRuntimeClient();
  } catch {
    stop(`no container engine answers. Set ${missing.join(' and ')}, or start one.`);
  }
}
if (missing.includes('PATCHWIRE_TEST_MSSQL')) {
  if (env['ACCEPT_EULA'] !== 'Y') {
    stop(`set ACCEPT_EULA=Y to accept the licence of ${SQL_SERVER_IMAGE}, or PATCHWIRE_TEST_MSSQL to use a server of yours.`);
  }
  const password = `Pw1!${Math.random().toString(36).slice(2)}Aa`;
  const server = await new GenericContainer(SQL_SERVER_IMAGE)
    .withEnvironment({ ACCEPT_EULA: 'Y', MSSQL_SA_PASSWORD: password })
    .withExposedPorts(1433)
    .withWaitStrategy(Wait.forLogMessage(/SQL Server is now ready for client connections/))
    .withStartupTimeout(START_LIMIT_MS)
    .start();
  env['PATCHWIRE_TEST_MSSQL'] =
    `Server=${server.getHost()},${server.getMappedPort(1433)};User Id=sa;Password=${password};Encrypt=true;TrustServerCertificate=true`;
}
if (missing.includes('PATCHWIRE_TEST_REDIS')) {
  const server = await new GenericContainer(REDIS_IMAGE).withExposedPorts(6379).start();
  env['PATCHWIRE_TEST_REDIS'] = `redis://${server.getHost()}:${server.getMappedPort(6379)}`;
}

// The containers' reaper removes them when this process ends.
const { status } = spawnSync(
  process.execPath,
  [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--config',
    'test/vitest.config.ts',
    '--project',
    'conformance',
    '--project',
    'sandbox',
    '--project',
    'contract',
  ],
  { stdio: 'inherit', env },
);
process.exit(status ?? 1);

function stop(message: string): never {
  console.error(`test:real: ${message}`);
  process.exit(1);
}
