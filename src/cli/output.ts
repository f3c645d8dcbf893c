/**
 * All that the commands print, and the one place that prints. Results go to stdout (with --json as one JSON value, or one a line for
 * streams), everything else to stderr. An error is its code, its message and its hint; a stack trace only with --debug; a secret never.
 */
import { createInterface } from 'node:readline/promises';
import { asPatchwireError, PatchwireError } from '../model/errors.ts';
import { hideSecrets } from '../observe/secrets.ts';

export interface OutputOptions {
  readonly json: boolean;
  readonly debug: boolean;
}

export class Output {
  readonly json: boolean;
  readonly #debug: boolean;
  readonly #secrets = new Set<string>();

  constructor({ json, debug }: OutputOptions) {
    this.json = json;
    this.#debug = debug;
  }

  /** Texts that are printed as *** from now on. */
  keepSecret(secrets: readonly string[]): void {
    for (const secret of secrets) {
      this.#secrets.add(secret);
    }
  }

  /** A command's result: `value` with --json, else the lines of `text`. */
  result(value: unknown, text: string): void {
    this.line(this.json ? toJson(value) : text);
  }

  /** One line of a stream: a JSON value with --json. */
  item(value: unknown, text: () => string): void {
    this.line(this.json ? toJson(value) : text());
  }

  /** A line to stdout as it is. */
  line(text: string): void {
    console.log(this.#hide(text));
  }

  /** A line for people, to stderr: progress, warnings. */
  note(text: string): void {
    console.error(this.#hide(text));
  }

  /** `PW-XNNN message`, its hint, with --json as an object; an abort prints nothing. */
  error(error: unknown): void {
    const known = asPatchwireError(error);
    const { code, message, hint, details } = known;
    if (this.json) {
      console.error(this.#hide(toJson({ error: { code, message, hint, details } })));
    } else {
      console.error(this.#hide(`${code} ${message}\n  hint: ${hint}`));
    }
    if (this.#debug) {
      const trace = known.code === 'PW-I901' && known.cause instanceof Error ? known.cause : known;
      console.error(this.#hide(traceOf(trace)));
    }
  }

  /**
   * Asks on the terminal; only `y` and `yes` are a yes, Ctrl-C and Ctrl-D are a no.
   * @throws PatchwireError PW-C110 when stdin is no terminal; the signal's reason when it fires
   */
  async confirm(question: string, signal?: AbortSignal): Promise<boolean> {
    if (!process.stdin.isTTY) {
      throw new PatchwireError('PW-C110', 'This needs a yes, and there is no terminal to ask.');
    }
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    try {
      const answer = await lines.question(`${this.#hide(question)} [y/N] `, signal === undefined ? {} : { signal });
      return /^y(es)?$/iu.test(answer.trim());
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof Error && error.name === 'AbortError') {
        // The answer to what stands on the line before.
        this.note('');
        return false;
      }
      throw error;
    } finally {
      lines.close();
    }
  }

  #hide(text: string): string {
    return hideSecrets(text, [...this.#secrets]);
  }
}

/** Columns as wide as their widest cell; the last one as it is. */
export function formatRows(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  return all.map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  ')).join('\n');
}

function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? inner.toString() : inner)) ?? 'null';
}

function traceOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by: ${traceOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}
