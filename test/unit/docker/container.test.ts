/** docker/: what a container engine and systemd would be given, read by parsers; no engine is needed. */
import { existsSync, readFileSync } from 'node:fs';
import { DockerfileParser, type Instruction } from 'dockerfile-ast';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../../src/config/load.ts';

const folder = new URL('../../../docker/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');

describe('docker/Dockerfile', () => {
  const file = DockerfileParser.parse(read('Dockerfile'));
  const all = file.getInstructions();
  const last = (keyword: string): Instruction | undefined => all.findLast((item) => item.getKeyword() === keyword);
  /** The words of an instruction in its exec form. */
  const words = (keyword: string): unknown => JSON.parse(last(keyword)?.getArgumentsContent() ?? 'null');

  it('builds in one stage and runs in another, on images of a fixed version', () => {
    const from = file.getFROMs();
    expect(from).toHaveLength(2);
    for (const item of from) {
      expect(item.getImage()).toMatch(/^node:20\.\d+-bookworm-slim$/u);
    }
    const copied = file.getCOPYs().filter((copy) => copy.getFromFlag() !== null);
    expect(copied.map((copy) => `${copy.getFromFlag()?.getValue()} ${copy.getArgumentsContent()}`)).toEqual([
      'build /build/package.json ./',
      'build /build/node_modules ./node_modules',
      'build /build/dist ./dist',
    ]);
  });

  it('copies what there is', () => {
    const sources = file
      .getCOPYs()
      .filter((copy) => copy.getFromFlag() === null)
      .flatMap((copy) => copy.getArguments().slice(0, -1).map(String));
    expect(sources).toContain('package-lock.json');
    expect(sources.filter((path) => !existsSync(new URL(`../${path}`, folder)))).toEqual([]);
  });

  it('runs as no root, as process 1 without a shell, and stops by SIGTERM', () => {
    expect(last('USER')?.getArgumentsContent()).toBe('node');
    expect(all.indexOf(last('USER') as Instruction)).toBeLessThan(all.indexOf(last('ENTRYPOINT') as Instruction));
    expect(words('ENTRYPOINT')).toEqual(['node', '/app/dist/main.js']);
    expect(words('CMD')).toEqual(['run', '--config', '/etc/patchwire/cdc.config.yaml']);
    expect(last('STOPSIGNAL')?.getArgumentsContent()).toBe('SIGTERM');
  });

  it('is healthy when /live answers', () => {
    const [check] = file.getHEALTHCHECKs();
    expect(check?.getSubcommand()?.getValue()).toBe('CMD');
    expect(check?.getArgumentsContent()).toContain('/live');
    expect(check?.getFlags().map((flag) => flag.getName())).toEqual(['interval', 'timeout', 'start-period', 'retries']);
  });
});

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly volumes?: readonly string[];
  readonly stop_grace_period?: string;
  readonly user?: string;
  readonly read_only?: boolean;
}

describe('docker/compose.yaml', () => {
  const { services, volumes } = parse(read('compose.yaml')) as {
    readonly services: Readonly<Record<string, Service>>;
    readonly volumes: Readonly<Record<string, unknown>>;
  };

  it('has SQL Server, Redis, patchwire and a writer, and nothing that depends on what is not there', () => {
    expect(Object.keys(services).toSorted()).toEqual(['patchwire', 'redis', 'setup', 'sqlserver', 'writer']);
    for (const [name, service] of Object.entries(services)) {
      for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
        expect(Object.keys(services), `${name} waits for ${other}`).toContain(other);
        expect(condition === 'service_healthy' ? services[other]?.healthcheck : true, `${other} tells whether it is healthy`).toBeTruthy();
      }
      for (const volume of service.volumes ?? []) {
        const source = volume.split(':')[0] ?? '';
        const there = source.startsWith('.') ? existsSync(new URL(source, folder)) : source in volumes;
        expect(there, `${name}: ${volume}`).toBe(true);
      }
    }
  });

  it('builds the image of the Dockerfile beside it', () => {
    const { context, dockerfile } = services['patchwire']?.build ?? { context: '', dockerfile: '' };
    expect(existsSync(new URL(`${context}/${dockerfile}`, folder))).toBe(true);
  });

  it('gives patchwire a configuration that is right', () => {
    const config = loadConfig({ path: new URL('cdc.config.yaml', folder).pathname, env: services['patchwire']?.environment ?? {} });
    expect(config.tables.map(({ table, section }) => [table, section])).toEqual([
      ['dbo.Customers', 'customers'],
      ['dbo.Orders', 'orders'],
    ]);
    const grace = Number(services['patchwire']?.stop_grace_period?.replace('s', '')) * 1000;
    expect(grace).toBeGreaterThan(config.daemon.shutdown);
  });
});

describe('docker/patchwire.service', () => {
  const sections = new Map<string, Map<string, string>>();
  const strange: string[] = [];
  let section = new Map<string, string>();
  for (const line of read('patchwire.service').split('\n')) {
    const [, head] = /^\[(\w+)\]$/u.exec(line) ?? [];
    const [, key, value = ''] = /^(\w+)=(.*)$/u.exec(line) ?? [];
    if (head !== undefined) {
      section = new Map();
      sections.set(head, section);
    } else if (key !== undefined) {
      section.set(key, section.get(key) ?? value);
    } else if (!/^(#.*)?$/u.test(line)) {
      strange.push(line);
    }
  }
  const service = (key: string): string | undefined => sections.get('Service')?.get(key);

  it('restarts on failure, but not on a wrong configuration', () => {
    expect(strange).toEqual([]);
    expect([...sections.keys()]).toEqual(['Unit', 'Service', 'Install']);
    expect(service('Restart')).toBe('on-failure');
    expect(service('RestartPreventExitStatus')).toBe('78');
  });

  it('gives a stop more time than daemon.shutdown', () => {
    expect(Number(service('TimeoutStopSec'))).toBeGreaterThan(25);
  });

  it('runs as a user of its own, with nothing to write to and no capability', () => {
    expect(service('User')).toBe('patchwire');
    expect(service('NoNewPrivileges')).toBe('true');
    expect(service('ProtectSystem')).toBe('strict');
    expect(service('CapabilityBoundingSet')).toBe('');
    expect(service('ExecStart')).toMatch(/^\/usr\/bin\/node \/\S+\/dist\/main\.js run --config \S+$/u);
  });
});
