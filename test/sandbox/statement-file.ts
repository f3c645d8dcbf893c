/**
 * Reads statements.sql (its head says how it is written) and runs a batch of it through the driver, telling what came back in the words of
 * the file's comments. It never writes the file: what is expected comes from documentation, not from whoever is being tested.
 */
import type sql from 'mssql';

export interface Batch {
  readonly section: string;
  readonly title: string;
  /** As any client sends it: everything between two GO. Errors count its lines from 1. */
  readonly text: string;
  /** The comments that say what comes back, without their dashes. */
  readonly expected: readonly string[];
}

const EXPECTATION = /^-- ((?:columns|row|affected|info \d+|error \d+).*)$/;
const SECTION = /^-- ## (.+)$/;

/** @throws Error where a title is missing or is there twice */
export function readBatches(file: string): Batch[] {
  const batches: Batch[] = [];
  const titles = new Set<string>();
  let section = '';
  for (const text of file.split(/^GO[ \t]*\n/m)) {
    const lines = text.split('\n').map((line) => line.trimEnd());
    if (lines.every((line) => line === '' || (line.startsWith('--') && !SECTION.test(line)))) {
      continue;
    }
    section = lines.map((line) => SECTION.exec(line)?.[1]).find((found) => found !== undefined) ?? section;
    const expected = lines.flatMap((line) => EXPECTATION.exec(line)?.[1] ?? []);
    const comment = lines.find((line) => line.startsWith('-- ') && !SECTION.test(line) && !EXPECTATION.test(line));
    const title = SECTION.test(lines[0] ?? '') ? 'what it needs' : (comment?.slice(3) ?? '');
    const key = `${section}: ${title}`;
    if (title === '' || titles.has(key)) {
      throw new Error(`a batch needs a title of its own in ${section}: ${title || text.slice(0, 200)}`);
    }
    titles.add(key);
    batches.push({ section, title, text, expected });
  }
  return batches;
}

type Column = {
  readonly name: string;
  readonly type: unknown;
  readonly length: number;
  readonly precision: number;
  readonly scale: number;
};

/** What came back, in the order in which it came; messages with their texts. */
export async function runBatch(pool: sql.ConnectionPool, text: string): Promise<string[]> {
  const request = pool.request();
  request.stream = true;
  request.arrayRowMode = true;
  const found: string[] = [];
  let columns: readonly Column[] | null = null;
  let rows = 0;
  let counted: number | null = null;
  const finish = (): void => {
    if (columns !== null && counted !== null && counted !== rows) {
      found.push(`affected: ${counted}`);
    }
    columns = null;
    rows = 0;
    counted = null;
  };
  request.on('recordset', (next: unknown) => {
    finish();
    columns = next as readonly Column[];
    found.push(`columns: ${columns.map((column) => `${column.name || '(none)'} ${typeOf(column)}`).join(' | ')}`);
  });
  request.on('row', (row: unknown) => {
    rows += 1;
    // The driver joins the rows of FOR JSON into one object.
    const values = Array.isArray(row) ? row : Object.values(row as object);
    found.push(`row: ${values.map((value, index) => shown(value, columns?.[index])).join(' | ')}`);
  });
  request.on('rowsaffected', (count: number) => {
    if (columns === null) {
      found.push(`affected: ${count}`);
    } else {
      counted = count;
      // The rows of FOR JSON come after their count.
      if (!/^JSON_|^XML_/.test(columns[0]?.name ?? '')) {
        finish();
      } else {
        counted = null;
      }
    }
  });
  request.on('info', (message: { number: number; class: number; state: number; lineNumber: number; message: string }) => {
    found.push(`info ${message.number}, ${message.class}, ${message.state}, line ${message.lineNumber}: ${message.message}`);
  });
  request.on('error', (error: sql.RequestError) => {
    finish();
    found.push(`error ${error.number}, ${error.class}, ${error.state}, line ${error.lineNumber}: ${error.message}`);
  });
  await new Promise<void>((resolve) => {
    request.on('done', () => {
      resolve();
    });
    void request.batch(text);
  });
  finish();
  return found;
}

/**
 * Drops from what came back whatever the expectation leaves open: the text of a message, its line, and the columns of a result set that an
 * error ends before its first row.
 */
export function asPrecise(found: readonly string[], expected: readonly string[]): string[] {
  const told = found.filter((line, index) => !(line.startsWith('columns:') && found[index + 1]?.startsWith('error ') === true));
  return told.map((line, index) => {
    const wanted = expected[index] ?? '';
    if (!/^(?:info|error) /.test(line) || wanted.includes(': ')) {
      return line;
    }
    const parts = line.replace(/: [^]*$/, '').split(', ');
    return parts.slice(0, Math.max(1, wanted.split(', ').length)).join(', ');
  });
}

function typeOf(column: Column): string {
  const { declaration } = column.type as { readonly declaration: string };
  switch (declaration) {
    case 'varchar':
    case 'varbinary':
      return `${declaration}(${column.length === 65_535 ? 'max' : column.length})`;
    case 'nvarchar':
      return `${declaration}(${column.length === 65_535 ? 'max' : column.length / 2})`;
    case 'char':
    case 'binary':
      return `${declaration}(${column.length})`;
    case 'nchar':
      return `${declaration}(${column.length / 2})`;
    // The two are synonyms: which of them an expression has is no matter of this file.
    case 'decimal':
    case 'numeric':
      return `decimal(${column.precision},${column.scale})`;
    case 'time':
    case 'datetime2':
    case 'datetimeoffset':
      return `${declaration}(${column.scale})`;
    default:
      return declaration;
  }
}

function shown(value: unknown, column: Column | undefined): string {
  if (value === null) {
    return 'NULL';
  }
  const type = column === undefined ? '' : (column.type as { readonly declaration: string }).declaration;
  if (Buffer.isBuffer(value)) {
    return `0x${value.toString('hex').toUpperCase()}`;
  }
  if (value instanceof Date) {
    return dateText(value, type, column?.scale ?? 3);
  }
  if (typeof value === 'boolean') {
    return value ? '1' : '0';
  }
  if (typeof value === 'number') {
    switch (type) {
      case 'decimal':
      case 'numeric':
        return value.toFixed(column?.scale ?? 0);
      case 'money':
      case 'smallmoney':
        return value.toFixed(4);
      case 'real':
        return String(Number(value.toPrecision(7)));
      default:
        return String(value);
    }
  }
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text === '' || text === 'NULL' || /^\s|\s$|\||[\r\n\t]/.test(text)
    ? `'${text
        .replaceAll('\r', String.raw`\r`)
        .replaceAll('\n', String.raw`\n`)
        .replaceAll('\t', String.raw`\t`)}'`
    : text;
}

/** Milliseconds and 100 ns of a date as the driver gives it: the rest below a millisecond stands beside it. */
function dateText(value: Date, type: string, scale: number): string {
  const rest = Math.round(((value as Date & { nanosecondsDelta?: number }).nanosecondsDelta ?? 0) * 1e7);
  const fraction = `${String(value.getUTCMilliseconds()).padStart(3, '0')}${String(rest).padStart(4, '0')}`;
  const date = value.toISOString().slice(0, 10);
  const time = value.toISOString().slice(11, 19);
  const digits = (count: number): string => (count === 0 ? '' : `.${fraction.slice(0, count)}`);
  switch (type) {
    case 'date':
      return date;
    case 'time':
      return `${time}${digits(scale)}`;
    case 'smalldatetime':
      return `${date} ${time}`;
    case 'datetime':
      return `${date} ${time}${digits(3)}`;
    case 'datetimeoffset':
      return `${date} ${time}${digits(scale)} +00:00`;
    default:
      return `${date} ${time}${digits(type === 'datetime2' ? scale : 3)}`;
  }
}
