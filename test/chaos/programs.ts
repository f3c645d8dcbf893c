/** The programs that are hurt, as the run knows them: a daemon, and a subscriber of any kind with its questions and answers. Each with lines of its own. */
import type { Answer, Answered, Question, SectionStanding } from './answers.ts';
import type { Process } from './process.ts';
import type { Proxy } from './proxy.ts';
import { within } from './waiting.ts';

export const SHUTDOWN_MS = 10_000;
/** Of a stop that took too long. */
const SIGTERM_EXIT = 143;

export interface DaemonOptions {
  readonly name: string;
  readonly sql: Proxy;
  readonly redis: Proxy;
  readonly launch: (daemon: Daemon) => Process;
  readonly violation: (text: string) => void;
}

export class Daemon {
  readonly name: string;
  readonly sql: Proxy;
  readonly redis: Proxy;
  readonly #options: DaemonOptions;
  #process: Process | null = null;
  #wanted = false;

  constructor(options: DaemonOptions) {
    ({ name: this.name, sql: this.sql, redis: this.redis } = options);
    this.#options = options;
  }

  start(): void {
    const process = this.#options.launch(this);
    this.#process = process;
    this.#wanted = true;
    void process.exited().then(() => {
      if (this.#process === process && this.#wanted) {
        this.#options.violation(`${this.name} ended by itself, with ${process.child.exitCode ?? process.child.signalCode ?? 'an error'}`);
      }
    });
  }

  async kill(): Promise<void> {
    this.#wanted = false;
    await this.#process?.kill();
  }

  async stop(): Promise<void> {
    this.#wanted = false;
    const ended = (await this.#process?.terminate(SHUTDOWN_MS + 30_000)) ?? true;
    const code = this.#process?.child.exitCode ?? null;
    // On a line that is half-open it cannot hand over: then it exits when its time is up, and says so.
    const excused = code === SIGTERM_EXIT && Date.now() - Math.max(this.sql.halfOpenAt, this.redis.halfOpenAt) < 2 * SHUTDOWN_MS;
    if (!ended && !excused) {
      this.#options.violation(`${this.name} did not stop within ${SHUTDOWN_MS + 30_000} ms of SIGTERM, or with ${code ?? 'a signal'}`);
    }
  }

  pause(): void {
    this.#process?.pause();
  }

  resume(): void {
    this.#process?.resume();
  }
}

export interface SubscriberOptions {
  readonly name: string;
  readonly redis: Proxy;
  readonly whole: boolean;
  readonly newColumns: boolean;
  readonly launch: (onLine: (line: string) => void) => Process;
  readonly violation: (text: string) => void;
}

/** A subscriber process and the lines to it. */
export class Subscriber {
  readonly name: string;
  readonly redis: Proxy;
  readonly #launch: (onLine: (line: string) => void) => Process;
  readonly #violation: (text: string) => void;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #process: Process | null = null;
  #questions = 0;
  #checked = 0;
  #checkedBefore = 0;

  /** Whether it holds everything: then what it does not have is missing. */
  readonly whole: boolean;
  /** Whether its documents have the columns that were added since the tables were made. */
  readonly newColumns: boolean;
  /** What it did since it was started, in its own words; empty: nothing to tell. */
  did = '';

  constructor(options: SubscriberOptions) {
    ({ name: this.name, redis: this.redis, whole: this.whole, newColumns: this.newColumns } = options);
    ({ launch: this.#launch, violation: this.#violation } = options);
  }

  start(): void {
    this.#process = this.#launch((line) => {
      const answer = JSON.parse(line) as Answer;
      if ('violation' in answer) {
        this.#violation(`${this.name}: ${answer.violation}`);
      } else {
        this.#waiting.get(answer.id)?.(answer);
        this.#waiting.delete(answer.id);
      }
    });
  }

  /** Marks that it claimed and that were looked for. */
  get totalChecked(): number {
    return this.#checkedBefore + this.#checked;
  }

  pause(): void {
    this.#process?.pause();
  }

  resume(): void {
    this.#process?.resume();
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
    this.#waiting.clear();
    this.#checkedBefore += this.#checked;
    this.#checked = 0;
  }

  tell(question: Question): void {
    this.#process?.write(JSON.stringify(question));
  }

  async standing(): Promise<Readonly<Record<string, SectionStanding>>> {
    const answer = await this.#ask((id) => ({ do: 'standing', id }));
    if (!('sections' in answer)) {
      throw new Error('another answer');
    }
    this.#checked = answer.checked;
    this.did = answer.did ?? '';
    return answer.sections;
  }

  /** @param keys of the rows that there are: what is read on demand is asked for them, too */
  async documents(section: string, keys: readonly string[]): Promise<{ readonly equal: boolean; readonly documents: Answered }> {
    const answer = await this.#ask((id) => ({ do: 'documents', id, section, keys: this.whole ? [] : keys }));
    if (!('documents' in answer)) {
      throw new Error('another answer');
    }
    return answer;
  }

  async #ask(make: (id: number) => Question): Promise<Answer> {
    this.#questions += 1;
    const id = this.#questions;
    const answer = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.tell(make(id));
    return await within(`an answer of ${this.name}`, answer, 20_000);
  }
}
