/**
 * The file that `checkpoint export` writes and `checkpoint import` reads: where sections stood, and the digest of the documents that belong to it.
 * Knows its form only: what it is good for the manager decides.
 */
import { z } from 'zod';
import { PatchwireError } from '../model/errors.ts';
import { parseVersion } from '../model/version.ts';

const version = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,18})$/)
  .transform(parseVersion);

const exportedSection = z.object({
  section: z.string(),
  table: z.string(),
  seq: z.int().min(0),
  last: z.string(),
  checkpoint: version,
  upTo: version.nullable(),
  confirmed: version,
  high: version,
  incomplete: z.object({ reason: z.enum(['initial', 'skipped']), since: version }).nullable(),
  mark: version.nullish().transform((mark) => mark ?? null),
  digest: z.string().regex(/^[0-9a-f]{16}$/),
  count: z.int().min(0),
  source: z.object({
    serviceBrokerGuid: z.string(),
    database: z.string(),
    objectId: z.int(),
    beginVersion: z.string(),
    fingerprint: z.string(),
    key: z
      .array(z.object({ type: z.string(), collation: z.string().nullable() }))
      .readonly()
      .optional(),
    keyHash: z.string().optional(),
    recorded: z.object({ serverName: z.string(), databaseId: z.int(), createDate: z.string() }),
  }),
});

const exportedFile = z.object({
  patchwireExport: z.literal(1),
  exportedAt: z.string(),
  partition: z.string(),
  sections: z.array(exportedSection),
});

export type ExportedEntry = z.output<typeof exportedSection>;

export function writeExported(partition: string, sections: readonly ExportedEntry[], now: Date): string {
  const file = { patchwireExport: 1, exportedAt: now.toISOString(), partition, sections };
  return `${JSON.stringify(file, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value), 2)}\n`;
}

/** @param origin how messages name the file. @throws PatchwireError PW-C109 when it is no such file */
export function readExported(text: string, origin: string): { readonly partition: string; readonly sections: readonly ExportedEntry[] } {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw new PatchwireError('PW-C109', `${origin} is no export of checkpoints: it is not JSON`, { cause, hint: HINT });
  }
  const parsed = exportedFile.safeParse(raw);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue === undefined || issue.path.length === 0 ? 'its form' : issue.path.join('.');
    throw new PatchwireError('PW-C109', `${origin} is no export of checkpoints: ${where} is wrong (${issue?.message ?? ''})`, {
      hint: HINT,
    });
  }
  return parsed.data;
}

const HINT = 'Name a file that `patchwire checkpoint export --output FILE` wrote.';
