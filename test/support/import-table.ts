/**
 * Who may import whom under src/: the table of src/README.md as data. The architecture test holds the source and the lint configuration
 * to it. A folder may always import itself and node's own modules.
 */

export interface FolderRule {
  readonly folders: readonly string[];
  /** Packages, by the sub-folder of the folder that alone may import them ('' is the whole folder). */
  readonly packages: Readonly<Record<string, readonly string[]>>;
  /** Folders that may be imported only by `await import()`. */
  readonly lazily?: readonly string[];
}

const ports = ['source/change-tracker.ts', 'source/checkpoint-store.ts', 'manager/distributed-data-manager.ts'];
const foundation = ['lib', 'model'];

export const IMPORT_TABLE: Readonly<Record<string, FolderRule>> = {
  lib: { folders: [], packages: {} },
  model: { folders: ['lib'], packages: {} },
  wire: { folders: foundation, packages: { '': ['zod', 'fast-json-patch'] } },
  source: { folders: [...foundation, 'observe'], packages: { sqlserver: ['mssql'] } },
  manager: { folders: [...foundation, 'wire', 'observe'], packages: { redis: ['ioredis'] } },
  pipeline: { folders: [...foundation, 'wire', 'observe', ...ports], packages: {} },
  subscriber: { folders: [...foundation, 'wire'], packages: { '': ['ioredis', 'lru-cache'] } },
  observe: { folders: [...foundation, ...ports], packages: { '': ['pino', 'pino-pretty', 'prom-client'] } },
  config: { folders: foundation, packages: { '': ['zod', 'yaml'] } },
  http: { folders: [...foundation, 'observe'], packages: { '': ['fastify'] } },
  daemon: { folders: [...foundation, 'wire', 'source', 'manager', 'pipeline', 'observe', 'config', 'http'], packages: {} },
  sandbox: { folders: ['lib'], packages: {} },
  demo: { folders: ['sandbox', 'daemon', 'subscriber', 'config', ...foundation], packages: { '': ['mssql', 'ioredis'] } },
  cli: {
    folders: [...foundation, 'wire', 'source', 'manager', 'pipeline', 'subscriber', 'observe', 'config', 'http', 'daemon'],
    packages: { '': ['commander'] },
    lazily: ['sandbox', 'demo'],
  },
};
