/** Judges many seeds in as many processes as there are processors, since one history after another uses one of them only. */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Tally, type TallyJson } from './tally.ts';

export interface Judgement {
  readonly tally: Tally;
  /** What failed first in each process. */
  readonly wrong: readonly string[];
}

const SHARD = fileURLToPath(new URL('./shard.ts', import.meta.url));

/** So many histories from seed `first` on, or as many as fit into the time. */
export async function judgeAll(
  first: number,
  amount: { readonly histories: number } | { readonly ms: number },
  tries?: number,
): Promise<Judgement> {
  const shards = availableParallelism();
  const results = await Promise.all(
    Array.from({ length: shards }, (_, shard) => {
      const share = 'ms' in amount ? `${amount.ms}ms` : String(Math.ceil((amount.histories - shard) / shards));
      return judged([String(first + shard), share, String(shards), ...(tries === undefined ? [] : [String(tries)])]);
    }),
  );
  const tally = new Tally();
  results.forEach((result) => tally.merge(result.tally));
  return { tally, wrong: results.flatMap(({ wrong }) => (wrong === null ? [] : [wrong])) };
}

interface Result {
  readonly tally: TallyJson;
  readonly wrong: string | null;
}

function judged(args: readonly string[]): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = fork(SHARD, args, { execArgv: ['--import', 'tsx'] });
    let result: Result | null = null;
    child.on('message', (message) => {
      result = message as Result;
    });
    child.on('error', reject);
    child.on('exit', (code) =>
      result === null ? reject(new Error(`a shard (${args.join(' ')}) ended with ${code} and no result`)) : resolve(result),
    );
  });
}
