// npm run setup: brings what npm cannot: a redis-server, and with --tests also what only tests use (FreeTDS's command line clients,
// the Redis client of Debian's Python).
// Plain JavaScript without packages, so that it runs before and without a build. It starts no system service and asks for no password:
// without the rights it prints the line to type and ends with 1.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const HELP = `usage: npm run setup [-- --tests] [-- --if-missing]

  --tests        also install what only the tests need (freetds-bin, python3-redis)
  --if-missing   say nothing when all is there

Redis is looked for in PATCHWIRE_REDIS_SERVER (a program), then as redis-server or valkey-server on the PATH.`;

const flags = new Set(process.argv.slice(2));
if (flags.has('--help')) {
  console.log(HELP);
  process.exit(0);
}

/** What is needed: the programs of which one is enough, and the package that brings it, by package manager. */
const wanted = [
  {
    programs: [process.env.PATCHWIRE_REDIS_SERVER, 'redis-server', 'valkey-server'].filter(Boolean),
    packages: { apt: 'redis-server', dnf: 'redis', brew: 'redis' },
    why: 'the demo, and the tests, talk to a real Redis',
  },
  ...(flags.has('--tests')
    ? [
        {
          programs: ['tsql'],
          packages: { apt: 'freetds-bin', dnf: 'freetds', brew: 'freetds' },
          why: 'tests speak to the sandbox with a second client',
        },
        {
          programs: ['python3-redis'],
          // A module, not a program: the interpreter of the system has it or not.
          isThere: () => spawnSync('/usr/bin/python3', ['-c', 'import redis'], { stdio: 'ignore' }).status === 0,
          packages: { apt: 'python3-redis', dnf: 'python3-redis' },
          why: 'tests follow the protocol with a second implementation',
        },
      ]
    : []),
];

const missing = wanted.filter((item) => !isThere(item));
for (const { programs } of wanted.filter((item) => !missing.includes(item))) {
  if (!flags.has('--if-missing')) {
    console.log(`setup: ${programs.find(find) ?? programs.at(-1)} is there`);
  }
}
if (missing.length === 0) {
  process.exit(0);
}

const manager = [
  { name: 'apt', program: 'apt-get', install: ['install', '-y', '--no-install-recommends'], refresh: ['update'], root: true },
  { name: 'dnf', program: 'dnf', install: ['install', '-y'], root: true },
  { name: 'brew', program: 'brew', install: ['install'], root: false },
].find(({ program }) => find(program));

if (manager === undefined) {
  fail(`none of apt-get, dnf, brew is here. Install by hand: ${missing.map(({ programs }) => programs.at(-1)).join(', ')}`);
}
const unknown = missing.filter((item) => item.packages[manager.name] === undefined);
if (unknown.length > 0) {
  // Its tests say that they are skipped.
  console.log(`setup: ${manager.name} has no ${unknown.map(({ programs }) => programs.at(-1)).join(', ')}; going on without`);
}
const packages = missing.filter((item) => !unknown.includes(item)).map((item) => item.packages[manager.name]);
if (packages.length === 0) {
  process.exit(0);
}
const line = [manager.program, ...manager.install, ...packages];
const isRoot = process.getuid?.() === 0;
const viaSudo = manager.root && !isRoot && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0;
if (manager.root && !isRoot && !viaSudo) {
  fail(
    `missing: ${missing.map(({ programs, why }) => `${programs.at(-1)} (${why})`).join(', ')}. Type this, then call setup again:\n\n  sudo ${line.join(' ')}\n`,
  );
}

console.log(`setup: ${line.join(' ')}`);
if (run(line) !== 0) {
  // A fresh machine has no package lists yet.
  if (manager.refresh !== undefined) {
    run([manager.program, ...manager.refresh]);
  }
  if (manager.refresh === undefined || run(line) !== 0) {
    fail(`the package manager failed. Type this, then call setup again:\n\n  ${line.join(' ')}\n`);
  }
}
const still = missing.filter((item) => !unknown.includes(item) && !isThere(item));
if (still.length > 0) {
  fail(`installed ${packages.join(', ')}, but ${still.map(({ programs }) => programs.at(-1)).join(', ')} is not there`);
}
console.log('setup: done');

/**
 * Runs a package manager's command with the rights that it needs. Debian's packages start their service as they are installed unless
 * policy-rc.d says 101: we want the program, not a server on port 6379. A policy that is there already is left alone.
 */
function run(words) {
  const policy = '/usr/sbin/policy-rc.d';
  const quiet = `if [ ! -e ${policy} ]; then printf '#!/bin/sh\\nexit 101\\n' > ${policy}; chmod 755 ${policy}; trap 'rm -f ${policy}' EXIT; fi; `;
  const command = manager.name === 'apt' ? ['sh', '-c', `${quiet}DEBIAN_FRONTEND=noninteractive ${words.join(' ')}`] : words;
  const [program, ...args] = viaSudo ? ['sudo', '-n', ...command] : command;
  return spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] }).status;
}

function isThere({ programs, isThere: look }) {
  return look === undefined ? programs.some(find) : look();
}

function find(program) {
  const candidates = program.includes('/') ? [program] : (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, program));
  return candidates.some((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function fail(message) {
  console.error(`setup: ${message}`);
  process.exit(1);
}
