/** How often what occurred over many histories, as a table, and what occurred too seldom to prove anything. */
import { ACTION_NAMES } from './actions.ts';
import type { History } from './history.ts';
import type { Outcome } from './run.ts';

const CRASHES = ['manager', 'tracker', 'clock'].flatMap((port) => [`${port} before`, `${port} after`]);
const PROFILES = ['implied', 'live', 'worst'];
const ISOLATIONS = ['snapshot', 'readCommitted', 'committedSnapshot'];

export interface TallyJson {
  readonly histories: number;
  readonly actions: number;
  readonly virtualMs: number;
  readonly counts: readonly (readonly [string, readonly (readonly [string, number])[]])[];
  readonly crashPoints: readonly string[];
}

export class Tally {
  histories = 0;
  actions = 0;
  virtualMs = 0;
  readonly #counts = new Map<string, Map<string, number>>();
  readonly #crashPoints = new Set<string>();

  constructor() {
    const sections: readonly (readonly [string, readonly string[]])[] = [
      ['action', ACTION_NAMES],
      ['profile', PROFILES],
      ['isolation', ISOLATIONS],
      ['claims', ['implied', 'confirmed']],
      ['tables', ['1', '2', '3']],
      ['key', ['int', 'nvarchar', 'pair']],
      ['lost history', ['resync', 'stop']],
      ['mended', ['resync', 'replace', 'held']],
      ['crash', CRASHES],
      ['check', ['documents', 'claims', 'equalReplicas', 'replicaClaims', 'rowsAside']],
    ];
    for (const [section, names] of sections) {
      this.#counts.set(section, new Map(names.map((name) => [name, 0])));
    }
  }

  add({ setting, actions }: History, { crashes, checks, codes, performed, mended, virtualMs }: Outcome): void {
    this.histories += 1;
    this.actions += actions.length;
    this.virtualMs += virtualMs;
    performed.forEach((times, name) => this.#count('action', name, times));
    const others = setting.others ?? [];
    this.#count('tables', String(1 + others.length), 1);
    [setting, ...others].forEach(({ keyType }) => this.#count('key', keyType, 1));
    this.#count('profile', setting.profile, 1);
    this.#count('isolation', setting.isolation, 1);
    this.#count('claims', setting.claims, 1);
    crashes.forEach((times, point) => {
      this.#crashPoints.add(point);
      const [call = '', side = ''] = point.split(' ');
      this.#count('crash', `${call.split('.')[0]} ${side}`, times);
    });
    this.#count('lost history', setting.lost ?? 'resync', 1);
    Object.entries(mended).forEach(([name, times]) => this.#count('mended', name, times));
    Object.entries(checks).forEach(([name, times]) => this.#count('check', name, times));
    codes.forEach((times, code) => this.#count('code', code, times));
  }

  toJSON(): TallyJson {
    const { histories, actions, virtualMs } = this;
    const counts = [...this.#counts].map(([section, names]): [string, [string, number][]] => [section, [...names]]);
    return { histories, actions, virtualMs, counts, crashPoints: [...this.#crashPoints] };
  }

  merge({ histories, actions, virtualMs, counts, crashPoints }: TallyJson): void {
    this.histories += histories;
    this.actions += actions;
    this.virtualMs += virtualMs;
    counts.forEach(([section, names]) => names.forEach(([name, times]) => this.#count(section, name, times)));
    crashPoints.forEach((point) => this.#crashPoints.add(point));
  }

  /** What occurred less often than that. */
  seldom(least: number): string[] {
    return [...this.#counts].flatMap(([section, counts]) =>
      section === 'code' ? [] : [...counts].flatMap(([name, times]) => (times < least ? [`${section} ${name}: ${times}`] : [])),
    );
  }

  toString(): string {
    const lines = [
      `${this.histories} histories, ${this.actions} actions, ${(this.virtualMs / 3_600_000).toFixed(1)} hours of virtual time, ${this.#crashPoints.size} different points of crashes`,
    ];
    for (const [section, counts] of this.#counts) {
      const cells = [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, times]) => `${name} ${times}`.padEnd(28));
      lines.push(`${section}:`);
      for (let at = 0; at < cells.length; at += 5) {
        lines.push(`  ${cells.slice(at, at + 5).join('')}`.trimEnd());
      }
    }
    return lines.join('\n');
  }

  #count(section: string, name: string, times: number): void {
    const counts = this.#counts.get(section) ?? new Map<string, number>();
    this.#counts.set(section, counts);
    counts.set(name, (counts.get(name) ?? 0) + times);
  }
}
