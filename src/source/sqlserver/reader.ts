/**
 * Reads pages: one request each, streamed into memory whole, checked before and after (R1 to R3). Proves nothing about what a page means for
 * a checkpoint: that is track-changes.ts.
 */
import mssql from 'mssql';
import type { LoadPage, PageCursor, RowState, TrackingPosition } from '../../model/change.ts';
import { decodeDataKey } from '../../model/data-key.ts';
import { PatchwireError } from '../../model/errors.ts';
import type { TrackedTable } from '../../model/table.ts';
import type { Version } from '../../model/version.ts';
import type { RowCount, WindowPage } from '../change-tracker.ts';
import { checkTable, checkVersion, definitionChanged } from '../checks.ts';
import { mayBeDefinition, isMissingName } from './errors.ts';
import { checkDatabase, collector, databaseFacts, tableFacts, versionOf, type Sets } from './facts.ts';
import type { Run } from './guest.ts';
import { cursorParameter } from './key-parameters.ts';
import type { DriverRow, RowReader, TablePlan } from './plan.ts';
import {
  CHECK_SETS,
  checkQuery,
  COUNT_SETS,
  countQuery,
  existingQuery,
  EXISTING_SETS,
  existingSizes,
  loadQuery,
  PAGE_SETS,
  rowQuery,
  sameKeyQuery,
  windowQuery,
  type RequestSettings,
} from './queries.ts';
import type { Parameter } from './request.ts';

export interface PageLimits extends RequestSettings {
  readonly pageRows: number;
  readonly pageBytes: number;
  readonly maxDocumentBytes: number;
}

/** The reads of one table. The statements are built once. */
export interface TableReader {
  window(
    run: Run,
    options: { readonly from: Version; readonly cursor: PageCursor | null; readonly position: TrackingPosition },
  ): Promise<PageResult>;
  load(run: Run, options: { readonly after: string | null; readonly rows?: number; readonly where?: string }): Promise<LoadPage>;
  row(run: Run, dataKey: string | null): Promise<RowState | null>;
  existing(run: Run, dataKeys: readonly string[]): Promise<readonly boolean[]>;
  sameKey(run: Run, a: string, b: string): Promise<boolean>;
  count(run: Run): Promise<RowCount | null>;
}

/** A window page but for the time, which the caller knows. */
export type PageResult = Omit<WindowPage, 'readAtMs'>;

interface Page {
  readonly rows: readonly RowState[];
  readonly to: Version;
  readonly full: boolean;
}

const ROWS_SET = PAGE_SETS.indexOf('rows');

export function tableReader(table: TrackedTable, plan: TablePlan, limits: PageLimits): TableReader {
  const texts = {
    windowFirst: windowQuery(plan, limits, false),
    windowNext: windowQuery(plan, limits, true),
    loadFirst: loadQuery(plan, limits, false),
    loadNext: loadQuery(plan, limits, true),
    row: rowQuery(plan, limits),
    check: checkQuery(plan, limits),
    sameKey: sameKeyQuery(plan, limits),
    count: countQuery(plan, limits),
  };
  const sizes = existingSizes(plan.key.length);
  const existingTexts = new Map<number, string>();
  /** Made when a sweep asks first: the largest is long, and most descriptions never need it. */
  const existingText = (size: number): string => {
    const text = existingTexts.get(size) ?? existingQuery(plan, limits, size);
    existingTexts.set(size, text);
    return text;
  };
  const common = (pageRows: number): readonly Parameter[] => [
    { name: 'rows', type: mssql.Int, value: pageRows },
    ...(plan.unbounded ? [{ name: 'maxValue', type: mssql.BigInt, value: String(limits.maxDocumentBytes) }] : []),
  ];

  return {
    async window(run, { from, cursor, position }) {
      const page = await readPage(run, {
        plan,
        table,
        limits,
        check: texts.check,
        text: cursor === null ? texts.windowFirst : texts.windowNext,
        pageRows: limits.pageRows,
        parameters: [
          ...common(limits.pageRows),
          { name: 'from', type: mssql.BigInt, value: from.toString() },
          ...(cursor === null
            ? []
            : [{ name: 'cursor', type: mssql.BigInt, value: cursor.version.toString() }, ...keyParameters(plan, cursor.dataKey)]),
        ],
        reader: () => plan.window(),
        reach: from < position.confirmed ? from : position.confirmed,
        position,
      });
      const last = page.rows.at(-1);
      return { ...page, last: last === undefined ? null : { version: last.changeVersion, dataKey: last.dataKey } };
    },

    async load(run, { after, rows: most = limits.pageRows, where }) {
      const pageRows = Math.min(most, limits.pageRows);
      const { rows, to, full } = await readPage(run, {
        plan,
        table,
        limits,
        check: texts.check,
        text:
          where === undefined
            ? after === null
              ? texts.loadFirst
              : texts.loadNext
            : loadQuery(plan, limits, after !== null, plan.expression(where)),
        pageRows,
        parameters: [...common(pageRows), ...(after === null ? [] : keyParameters(plan, after))],
        reader: (version) => plan.load(version),
        reach: null,
        position: null,
      });
      return { rows, to, last: rows.at(-1)?.dataKey ?? null, end: !full };
    },

    async row(run, dataKey) {
      const { rows } = await readPage(run, {
        plan,
        table,
        limits,
        check: texts.check,
        text: dataKey === null ? texts.loadFirst : texts.row,
        pageRows: 1,
        parameters: [...common(1), ...(dataKey === null ? [] : askedParameters(plan, table, dataKey))],
        reader: (version) => plan.load(version),
        reach: null,
        position: null,
      });
      return rows[0] ?? null;
    },

    async existing(run, dataKeys) {
      const found = dataKeys.map(() => false);
      const largest = sizes.at(-1) ?? 1;
      // What cannot be a key of the table (its key was another one once) is not there.
      const asked = [...dataKeys.keys()].filter((i) => isKeyOf(plan, dataKeys[i] ?? ''));
      for (let start = 0; start < asked.length; start += largest) {
        const places = asked.slice(start, start + largest);
        const chunk = places.map((i) => dataKeys[i] ?? '');
        const size = sizes.find((each) => each >= chunk.length) ?? largest;
        const text = existingText(size);
        const { sets, onRow } = collector(EXISTING_SETS);
        await refusedOrChanged(run, { table, check: texts.check }, () =>
          run({ text, parameters: existingParameters(plan, chunk, size), onRow }),
        );
        checkSteady(table, sets, sets, null);
        for (const row of sets.get('rows') ?? []) {
          const n = Number(row['n']);
          // The numbers beyond the chunk repeat its last key, to keep the texts few.
          const place = places[n];
          // SQL Server calls 1 and 1.00 one key: a document that was written under another type of the key is no row's.
          if (place !== undefined && plan.found(row) === plan.identityOf(dataKeys[place] ?? '')) {
            found[place] = true;
          }
        }
      }
      return found;
    },

    async sameKey(run, a, b) {
      const { sets, onRow } = collector(['same']);
      const side = (name: string, dataKey: string): Parameter[] =>
        valuesOf(plan, dataKey).map((value, i) => ({ name: `${name}${i}`, ...parameterOf(plan, i, value) }));
      await run({ text: texts.sameKey, parameters: [...side('a', a), ...side('b', b)], onRow });
      return sets.get('same')?.[0]?.['same'] === 1;
    },

    async count(run) {
      const { sets, onRow } = collector(COUNT_SETS);
      await refusedOrChanged(run, { table, check: texts.check }, () => run({ text: texts.count, onRow }));
      const version = versionOf(sets.get('version'));
      const rows = sets.get('count')?.[0]?.['row_count'] ?? null;
      return version === null || rows === null || version !== versionOf(sets.get('afterVersion')) ? null : { rows: Number(rows), version };
    },
  };
}

interface PageOptions {
  readonly plan: TablePlan;
  readonly table: TrackedTable;
  readonly limits: PageLimits;
  readonly text: string;
  readonly parameters: readonly Parameter[];
  readonly pageRows: number;
  readonly check: string;
  readonly reader: (to: Version) => RowReader;
  readonly reach: Version | null;
  readonly position: TrackingPosition | null;
}

async function readPage(run: Run, options: PageOptions): Promise<Page> {
  const { table, limits, reach } = options;
  const about = { table: table.fullName };
  const position = options.position ?? { checkpoint: 0n, confirmed: 0n, high: 0n };
  const { sets, onRow } = collector(PAGE_SETS);
  const rows: RowState[] = [];
  const size = { bytes: 0 };
  let reader: RowReader | null = null;
  let to: Version = 0n;

  const begin = (): RowReader => {
    to = checkVersion(versionOf(sets.get('version')), position, about);
    checkTable(table, tableFacts(sets.get('table')?.[0]), reach);
    return options.reader(to);
  };
  const { cut } = await refusedOrChanged(run, options, () =>
    run({
      text: options.text,
      parameters: options.parameters,
      onRow(set: number, row: DriverRow) {
        if (set !== ROWS_SET) {
          return onRow(set, row);
        }
        reader ??= begin();
        rows.push(reader.read(row, size));
        return size.bytes >= limits.pageBytes ? 'cut' : 'more';
      },
    }),
  );
  reader ??= begin();

  let after: Sets = sets;
  if (cut) {
    const check = collector(CHECK_SETS);
    await run({ text: options.check, onRow: check.onRow });
    after = check.sets;
  }
  checkVersion(versionOf(after.get('afterVersion')), { ...position, last: rows.at(-1)?.changeVersion, checkpoint: to }, about);
  checkSteady(table, sets, after, reach);
  checkDatabase(databaseFacts(after.get('afterDatabase')), table.identity);
  return { rows, to, full: cut || rows.length >= options.pageRows };
}

/**
 * R3 after a read. The definition is the described one before and after; what was altered between and back again moved modify_date, where it
 * was more than a name. So no row is given back that was read under another definition.
 */
function checkSteady(table: TrackedTable, before: Sets, after: Sets, reach: Version | null): void {
  const first = tableFacts(before.get('table')?.[0]);
  const last = tableFacts(after.get('afterTable')?.[0]);
  checkTable(table, first, reach);
  checkTable(table, last, reach);
  if (first.modified !== last.modified) {
    throw definitionChanged(table);
  }
}

/**
 * A statement that SQL Server refuses, or a value that is none of the described type, may be what a changed definition looks like: it is asked
 * for. @throws PW-S230 and the other errors of the check; else what `read` threw
 */
async function refusedOrChanged<T>(
  run: Run,
  { table, check }: { readonly table: TrackedTable; readonly check: string },
  read: () => Promise<T>,
): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (isMissingName(error)) {
      throw definitionChanged(table, error);
    }
    if (!mayBeDefinition(error)) {
      throw error;
    }
    const { sets, onRow } = collector(CHECK_SETS);
    const asked = await run({ text: check, onRow }).catch(() => null);
    if (asked !== null) {
      const facts = tableFacts(sets.get('afterTable')?.[0]);
      if (facts.objectId === table.identity.objectId && facts.definition !== table.definition) {
        throw definitionChanged(table, error);
      }
    }
    throw error;
  }
}

function valuesOf(plan: TablePlan, dataKey: string): string[] {
  let values: string[] = [];
  try {
    values = decodeDataKey(dataKey);
  } catch {
    // Reported below, with the table's name.
  }
  if (values.length !== plan.key.length) {
    throw new PatchwireError('PW-I901', `A data key of ${plan.name} has not the parts of its key.`, { details: { table: plan.name } });
  }
  return values;
}

function parameterOf(plan: TablePlan, i: number, text: string): Pick<Parameter, 'type' | 'value'> {
  const part = plan.key[i];
  if (part === undefined) {
    throw new PatchwireError('PW-I901', `A key of ${plan.name} has too many parts.`);
  }
  return part.parameter(text);
}

function keyParameters(plan: TablePlan, dataKey: string): Parameter[] {
  const values = valuesOf(plan, dataKey);
  return plan.key.map((part, i) => ({ name: cursorParameter(part, i), ...parameterOf(plan, i, values[i] ?? '') }));
}

function isKeyOf(plan: TablePlan, dataKey: string): boolean {
  try {
    keyParameters(plan, dataKey);
    return true;
  } catch {
    return false;
  }
}

/** A key that a person wrote. @throws PatchwireError PW-C109 when it is none of the table's */
function askedParameters(plan: TablePlan, table: TrackedTable, dataKey: string): Parameter[] {
  try {
    return keyParameters(plan, dataKey);
  } catch (cause) {
    const columns = table.key.map(({ name }) => name).join(', ');
    throw new PatchwireError('PW-C109', `${JSON.stringify(dataKey)} is no key of ${table.fullName}, whose key is ${columns}.`, { cause });
  }
}

/** `size` keys; when there are fewer, the last one again. */
function existingParameters(plan: TablePlan, dataKeys: readonly string[], size: number): Parameter[] {
  return Array.from({ length: size }, (_, row) => dataKeys[Math.min(row, dataKeys.length - 1)] ?? '').flatMap((dataKey, row) =>
    valuesOf(plan, dataKey).map((value, i) => ({ name: `p${row}_${i}`, ...parameterOf(plan, i, value) })),
  );
}
