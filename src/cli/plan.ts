/**
 * What a new configuration changes and what each change costs, by the rules of L5: another projection a resync, another section a load,
 * everything else a restart. Compares configurations only; what stands in Redis is plan-online.ts.
 */
import { flatten, redactConfig } from '../config/print.ts';
import { formatPath, type ConfigPath } from '../config/problems.ts';
import type { Config, TableConfig } from '../config/schema.ts';
import { parseTableName } from '../config/table-name.ts';

export type Cost = 'restart' | 'reset' | 'load' | 'purge';

export interface PlanStep {
  readonly cost: Cost;
  /** The key as an operator finds it: `log.level`, `dbo.Orders filter`. */
  readonly key: string;
  /** `500 → 200`; secrets are only said to change. */
  readonly change: string;
  readonly detail: string;
  readonly section?: string;
}

/** Keys of a table that decide neither its documents nor where they stand. */
const WITHOUT_PROJECTION = new Set(['table', 'source', 'section', 'polling', 'initial', 'onLostHistory', 'load']);
/** Keys of a source that say which database it is. */
const IDENTITY = new Set(['connection', 'server', 'port', 'database', 'instanceName']);

/** Every change, the costly ones first. */
export function planOf(present: Config, next: Config): PlanStep[] {
  const steps = [...settings(present, next), ...tables(present, next)];
  const order: readonly Cost[] = ['reset', 'load', 'purge', 'restart'];
  return steps.toSorted((a, b) => order.indexOf(a.cost) - order.indexOf(b.cost));
}

/** Whether every section moves to other keys or another server. */
export function movesAll(present: Config, next: Config): boolean {
  return present.manager.partition !== next.manager.partition || placeOf(present) !== placeOf(next);
}

/** Which Redis it is. Other nodes may be of the same cluster: it is not asked. */
function placeOf({ manager }: Config): string {
  const { url, sentinels, name, db, cluster } = manager.redis;
  return JSON.stringify([url, name, db, sentinels?.toSorted(), cluster?.toSorted()]);
}

function settings(present: Config, next: Config): PlanStep[] {
  const [before, after] = [valuesOf(present), valuesOf(next)];
  const keys = [...new Set([...before.keys(), ...after.keys()])];
  return keys.flatMap((key): PlanStep[] => {
    const [old, now] = [before.get(key), after.get(key)];
    if (old?.exact === now?.exact) {
      return [];
    }
    const change = old?.shown === now?.shown ? 'changes (secret)' : `${old?.shown ?? '-'} → ${now?.shown ?? '-'}`;
    return [{ cost: 'restart', key, change, detail: meaningOf(now?.path ?? old?.path ?? []) }];
  });
}

function meaningOf(path: ConfigPath): string {
  const [top, second, third] = path;
  if (top === 'sources' && typeof third === 'string' && IDENTITY.has(third)) {
    return 'restart; if it is another database, its tables are replaced under a new epoch (PW-S213)';
  }
  if (top === 'manager' && second === 'redis') {
    return 'restart; in a Redis that does not have the sections they are loaded';
  }
  if (top === 'checkpoint') {
    return 'restart; sqlserver needs the table of `patchwire sql checkpoint-store` in every source';
  }
  return 'restart';
}

/** Everything but tables: by key, as it is compared and as it is shown. */
function valuesOf(config: Config): Map<string, { readonly exact: string; readonly shown: string; readonly path: ConfigPath }> {
  const { tables: _tables, ...shown } = redactConfig(config);
  const set = flatten(shown).filter(({ value }) => JSON.stringify(value) !== '{}');
  const values = set.map(({ path, value }) => {
    const exact = path.reduce<unknown>((at, part) => (at as Record<string | number, unknown> | undefined)?.[part], config);
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return [formatPath(path), { exact: JSON.stringify(exact ?? null), shown: text, path }] as const;
  });
  return new Map(values);
}

function tables(present: Config, next: Config): PlanStep[] {
  const before = new Map(present.tables.map((table) => [tableKey(table), table]));
  const after = new Map(next.tables.map((table) => [tableKey(table), table]));
  const moved = movesAll(present, next);
  const gone = [...before].filter(([key]) => !after.has(key)).map(([, table]) => table);
  return [
    ...[...after].flatMap(([key, table]) => {
      const old = before.get(key);
      return old === undefined ? added(table, gone) : changed(old, table, moved);
    }),
    ...(JSON.stringify(present.shaping) === JSON.stringify(next.shaping) ? [] : next.tables.filter(hashes).map(rehashed)),
    ...gone.filter(({ section }) => !next.tables.some((table) => table.section === section)).map(removed),
  ];
}

function added(entry: TableConfig, gone: readonly TableConfig[]): PlanStep[] {
  const { table, section, source } = entry;
  const heir = gone.find((other) => other.section === section);
  if (heir !== undefined) {
    const change = `${heir.source}/${heir.table} → ${source}/${table}`;
    const detail = `section ${section} gets another table: it is replaced under a new epoch (PW-S213)`;
    return [{ cost: 'reset', key: `${table} table`, change, detail, section }];
  }
  return [{ cost: 'load', key: table, change: 'is added', detail: `section ${section} ${becomes(entry)}`, section }];
}

/** What becomes of a section that Redis does not have yet. */
export function becomes({ initial }: Pick<TableConfig, 'initial'>): string {
  return initial === 'none' ? 'is followed from now on, nothing is loaded' : 'is loaded';
}

function hashes({ shape }: TableConfig): boolean {
  return Object.values(shape).some(({ hash }) => hash !== undefined);
}

function rehashed({ table, section }: TableConfig): PlanStep {
  const detail = `its hashes change: section ${section} is resynced (PW-S220)`;
  return { cost: 'reset', key: `${table} shape`, change: 'another hash key', detail, section };
}

function removed({ table, section }: TableConfig): PlanStep {
  return {
    cost: 'purge',
    key: table,
    change: 'is removed',
    detail: `the documents of section ${section} stay in Redis until they are purged`,
    section,
  };
}

function changed(old: TableConfig, now: TableConfig, moved: boolean): PlanStep[] {
  const { table, section } = now;
  const keys = [...new Set([...Object.keys(old), ...Object.keys(now)])].filter((key) => key !== 'table' && key !== 'source');
  const steps = keys.flatMap((key): PlanStep[] => {
    const [before, after] = [at(old, key), at(now, key)];
    if (comparable(before) === comparable(after)) {
      return [];
    }
    const change = `${shown(before)} → ${shown(after)}`;
    const name = `${table} ${key}`;
    if (key === 'section') {
      return [
        {
          cost: 'load',
          key: name,
          change,
          detail: `section ${section} ${becomes(now)}; subscribers of ${old.section} hear no more`,
          section,
        },
        {
          cost: 'purge',
          key: name,
          change,
          detail: `the documents of section ${old.section} stay in Redis until they are purged`,
          section: old.section,
        },
      ];
    }
    if (key === 'initial' && after === 'full') {
      const detail = `restart; section ${section} is loaded, if it was followed without a load so far`;
      return [{ cost: 'load', key: name, change, detail, section }];
    }
    return [
      WITHOUT_PROJECTION.has(key)
        ? { cost: 'restart', key: name, change, detail: 'restart', section }
        : {
            cost: 'reset',
            key: name,
            change,
            detail: `its documents change: section ${section} is resynced (PW-S220)`,
            section,
          },
    ];
  });
  if (!moved) {
    return steps;
  }
  const there: PlanStep = {
    cost: 'load',
    key: table,
    change: 'moves',
    detail: `section ${section} ${becomes(now)}, unless it stands there already`,
    section,
  };
  const here: PlanStep = {
    cost: 'purge',
    key: table,
    change: 'moves',
    detail: `the documents of section ${old.section} stay where they were until they are purged`,
    section: old.section,
  };
  return [...steps.filter(({ cost }) => cost === 'restart'), there, here];
}

function at(table: TableConfig, key: string): unknown {
  return (table as Readonly<Record<string, unknown>>)[key];
}

function shown(value: unknown): string {
  return value === undefined ? '-' : typeof value === 'string' ? value : JSON.stringify(value);
}

/** Lists of columns are sets: the table's own order decides how they are published. */
function comparable(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    Array.isArray(inner) && inner.every((each) => typeof each === 'string') ? inner.toSorted() : inner,
  );
}

function tableKey({ table, source }: TableConfig): string {
  const name = parseTableName(table);
  return JSON.stringify([source, name?.schema.toLowerCase(), name?.name.toLowerCase()]);
}
