/**
 * What a run and its subscriber processes say to each other, a line of JSON each, and what every subscriber in TypeScript watches by itself: that
 * no row goes back, and which commits it claims to know. Knows no mode.
 */
import { createInterface } from 'node:readline';
import type * as Library from '../../src/subscriber/index.ts';
import type { Mark } from './writers.ts';

/** What a run asks of a subscriber. */
export type Question =
  | { readonly do: 'marks'; readonly marks: readonly Mark[] }
  | { readonly do: 'forget' }
  /** The database went back in time: what was loaded from it may be of a time that never was. */
  | { readonly do: 'restored' }
  /** Ask for nothing, or go on asking: of those that load on demand. */
  | { readonly do: 'rest'; readonly rests: boolean }
  | { readonly do: 'standing'; readonly id: number }
  /** Everything that it answers for; of keys that it must be asked for, these. */
  | { readonly do: 'documents'; readonly id: number; readonly section: string; readonly keys: readonly string[] };

export interface SectionStanding {
  /** What it holds is what was published; of a mode that holds a part: nothing but that keeps it from saying so. */
  readonly equal: boolean;
  readonly status: string;
  readonly reasons: readonly string[];
  readonly upTo: string | null;
  readonly last: string | null;
  readonly epoch: string | null;
}

/** Of a key in the spelling that was asked for; null: it says that there is none. */
export type Answered = readonly (readonly [key: string, document: unknown])[];

export type Answer =
  | { readonly id: number; readonly sections: Readonly<Record<string, SectionStanding>>; readonly checked: number; readonly did?: string }
  | { readonly id: number; readonly equal: boolean; readonly documents: Answered }
  | { readonly violation: string };

export const say = (answer: Answer): void => {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
};

export interface Asked {
  readonly marks: (marks: readonly Mark[]) => void;
  readonly forget: () => void;
  readonly restored?: () => void;
  readonly rest?: (rests: boolean) => void;
  readonly standing: () => Omit<Extract<Answer, { sections: unknown }>, 'id'>;
  readonly documents: (section: string, keys: readonly string[]) => Promise<Omit<Extract<Answer, { documents: unknown }>, 'id'>>;
}

/** Answers until stdin ends, and the process with it. */
export function answerQuestions(asked: Asked): void {
  const answer = async (question: Question): Promise<void> => {
    switch (question.do) {
      case 'marks':
        return asked.marks(question.marks);
      case 'forget':
        return asked.forget();
      case 'restored':
        return asked.restored?.();
      case 'rest':
        return asked.rest?.(question.rests);
      case 'standing':
        return say({ id: question.id, ...asked.standing() });
      case 'documents':
        return say({ id: question.id, ...(await asked.documents(question.section, question.keys)) });
    }
  };
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      answer(JSON.parse(line) as Question).catch((error: unknown) => {
        process.stderr.write(`no answer to ${line.slice(0, 200)}: ${String(error)}\n`);
      });
    })
    .on('close', () => process.exit(0));
}

type Follower = Pick<Library.Replica, 'state' | 'position'>;

/** Of a mode that holds a part: whether nothing but that keeps it from calling itself equal. */
export function contains(follower: Follower): boolean {
  return follower.state().reasons.every((reason) => reason === 'not compared');
}

export function standingOf(follower: Follower, equal: boolean): SectionStanding {
  const { status, reasons } = follower.state();
  const position = follower.position();
  const { upTo = null, last = null, epoch = null } = position ?? {};
  return { equal, status, reasons, upTo, last, epoch };
}

/** Says so when a row goes back to an older version between two resets. */
export class Versions {
  readonly #section: string;
  /** By identity, also of rows that were removed. */
  readonly #versions = new Map<string, bigint>();
  #epoch: string | null = null;
  resets = 0;

  constructor(section: string) {
    this.#section = section;
  }

  take(event: Library.SubscriberEvent | Library.InvalidationEvent): void {
    if (event.type === 'reset') {
      this.#versions.clear();
      this.resets += 1;
    } else if (event.type === 'live') {
      if (event.epoch !== this.#epoch) {
        this.#versions.clear();
      }
      this.#epoch = event.epoch;
    } else if (event.type === 'change' || event.type === 'invalidate') {
      const version = BigInt(event.versionId);
      const before = this.#versions.get(event.identity);
      if (before !== undefined && version < before) {
        say({ violation: `${this.#section} ${event.dataKey} went back from ${before} to ${version} in epoch ${this.#epoch ?? '?'}` });
      }
      this.#versions.set(event.identity, version);
    }
    if (event.type !== 'change' && event.type !== 'invalidate' && event.type !== 'lag') {
      const told = JSON.stringify(event, (_, value: unknown) => (value instanceof Error ? value.message : value));
      process.stderr.write(`${new Date().toISOString()} ${this.#section} ${told}\n`);
    }
  }
}

/** Commits that were told of and not looked at yet. */
export class Marks {
  #waiting: Mark[] = [];
  /** Grows when what was committed is no measure any more: what was asked for before says nothing. */
  generation = 0;
  checked = 0;

  add(marks: readonly Mark[]): void {
    this.#waiting.push(...marks);
  }

  forget(): void {
    this.#waiting = [];
    this.generation += 1;
  }

  /** Those that are claimed, each once. */
  claimed(upTo: string): readonly Mark[] {
    const version = BigInt(upTo);
    const claimed = this.#waiting.filter((mark) => BigInt(mark.version) <= version);
    this.#waiting = this.#waiting.filter((mark) => BigInt(mark.version) > version);
    return claimed;
  }

  /** @param held what is held of the writer's row */
  look({ writer, n, version }: Mark, held: unknown, upTo: string): void {
    this.checked += 1;
    const found = (held as { readonly N?: number } | null | undefined)?.N;
    if (found === undefined || found < n) {
      say({ violation: `it claims ${upTo}, but the mark of writer ${writer} is ${found ?? 'missing'}: at version ${version} it was ${n}` });
    }
  }
}
