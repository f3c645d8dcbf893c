/** What the demo prints: lines for statements, patches and the summary. Pure but for `write`; colours only where asked. */
import type { Comparison } from './compare.ts';
import type { ChangeKind, Step } from './traffic.ts';

export interface View {
  note(text: string): void;
  step(step: Step, version: string): void;
  patch(patch: PatchLine): void;
  more(count: number): void;
  summary(result: Summary): void;
}

export interface PatchLine {
  readonly section: string;
  readonly dataKey: string;
  readonly op: string;
  readonly versionId: string;
  readonly patch: unknown;
  /** From the commit's acknowledgement to the subscriber, in ms; null when the change was not ours to time. */
  readonly lagMs: number | null;
}

export interface Summary {
  readonly comparisons: readonly Comparison[];
  readonly kinds: ReadonlyMap<ChangeKind, boolean>;
  readonly reloads: number;
  readonly patches: number;
  readonly seed: number;
  readonly equal: boolean;
}

const WIDTH = 150;

export function createView(write: (line: string) => void, color: boolean): View {
  const paint = (code: number, text: string): string => (color ? `\u001B[${code}m${text}\u001B[0m` : text);
  const dim = (text: string): string => paint(2, text);
  return {
    note: (text) => write(dim(text)),
    step({ kind, title, statements }, version) {
      write('');
      write(`${paint(1, kind)}: ${title}  ${dim(`version ${version}`)}`);
      for (const statement of statements.slice(0, 3)) {
        write(`  ${paint(36, 'SQL  ')} ${shorten(statement)}`);
      }
      if (statements.length > 3) {
        write(dim(`         … ${statements.length - 3} more statements`));
      }
    },
    patch({ section, dataKey, op, versionId, patch, lagMs }) {
      const mark = op === 'remove' ? paint(31, 'patch') : paint(32, 'patch');
      const lag = lagMs === null ? '' : `, ${lagMs.toFixed(0)} ms`;
      write(`  ${mark} ${section} ${decodeURIComponent(dataKey)}  ${shorten(JSON.stringify(patch))}  ${dim(`v${versionId}${lag}`)}`);
    },
    more: (count) => write(dim(`        … ${count} more patches`)),
    summary: (result) => printSummary(result, write, { good: (text) => paint(32, text), bad: (text) => paint(31, text), dim }),
  };
}

interface Paint {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly dim: (text: string) => string;
}

function printSummary(
  { comparisons, kinds, reloads, patches, seed, equal }: Summary,
  write: (line: string) => void,
  { good, bad, dim }: Paint,
): void {
  const verdict = (ok: boolean): string => (ok ? good('ok') : bad('NOT OK'));
  write('');
  write('Summary: the tables by a plain query, beside the replica of the subscriber');
  for (const { section, rows, documents, different, differences } of comparisons) {
    write(
      `  ${section.padEnd(12)} ${String(rows).padStart(6)} rows ${String(documents).padStart(6)} documents  ${verdict(different === 0)}`,
    );
    for (const line of differences) {
      write(`    ${bad(shorten(line))}`);
    }
  }
  for (const [kind, received] of kinds) {
    write(`  ${kind.padEnd(20)} ${kind === 'no-op update' ? 'caused no patch' : 'received as patches'}  ${verdict(received)}`);
  }
  write(`  replica reloads after going live: ${reloads}  ${verdict(reloads === 0)}`);
  write(`  ${patches} patches received ${dim(`(seed ${seed} repeats this run)`)}`);
  write(equal ? good('Equal: every row, every column.') : bad('Not equal, or not all was seen: see above.'));
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length <= WIDTH ? line : `${line.slice(0, WIDTH - 1)}…`;
}
