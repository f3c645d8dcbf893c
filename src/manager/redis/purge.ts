/** Deletes a section in bounded chunks. Killed half-way, it is finished by the next purge or by the next lead (the pending marker says so). */
import { PatchwireError } from '../../model/errors.ts';
import { decodeIndexEntry, type SectionKeys } from '../../wire/keys.ts';
import { STORE_FORMAT } from '../../wire/messages.ts';
import type { Link } from './connection.ts';
import { decodeDescription } from './meta.ts';

const CHUNK = 500;
/** What one HSCAN may answer beyond COUNT stays below the limit of Lua's unpack. */
const MOST_PER_STEP = 2000;

export interface Purge {
  readonly section: string;
  readonly token: string;
  readonly managerId: string;
  readonly leaseMs: number;
  readonly channels: string;
  /** Composes the `removed` message. */
  readonly removed: (epoch: string) => string;
}

/** @throws PW-M305 when the lead is lost; what was deleted stays deleted */
export async function purgeSection(link: Link, keys: SectionKeys, purge: Purge): Promise<{ readonly documents: number }> {
  const what = `purge of ${purge.section}`;
  const head = [purge.token, String(STORE_FORMAT), purge.managerId, String(purge.leaseMs)];
  const step = async (entries: readonly { readonly identity: string; readonly dataKey: string }[]): Promise<number> =>
    Number(
      await link.run(
        'purgeStep',
        [keys.meta, keys.index, keys.lease, ...entries.map(({ dataKey }) => keys.document + dataKey)],
        [...head, ...entries.map(({ identity }) => identity)],
        'write',
        what,
      ),
    );
  const meta = decodeDescription(await link.run('readMeta', [keys.meta, keys.index, keys.quarantine], [], 'read', what), purge.section);
  if (meta === null) {
    throw new PatchwireError('PW-M305', `${what}: the section is gone`);
  }
  await step([]);
  let documents = 0;
  for (;;) {
    let cursor = '0';
    do {
      const [next, flat] = (await link.call('HSCAN', [keys.index, cursor, 'COUNT', String(CHUNK)], 'read', what)) as readonly [
        string,
        readonly string[],
      ];
      const entries: { identity: string; dataKey: string }[] = [];
      for (let i = 0; i + 1 < flat.length; i += 2) {
        const identity = flat[i] ?? '';
        entries.push({ identity, dataKey: decodeIndexEntry(identity, flat[i + 1] ?? '').dataKey });
      }
      for (let at = 0; at < entries.length; at += MOST_PER_STEP) {
        documents += await step(entries.slice(at, at + MOST_PER_STEP));
      }
      cursor = next;
    } while (cursor !== '0');
    const ended = await link.run(
      'purgeEnd',
      [keys.meta, keys.index, keys.lease, keys.changes, keys.quarantine, keys.requests, keys.operations],
      [purge.token, String(STORE_FORMAT), purge.channels, purge.removed(meta.epoch)],
      'write',
      what,
    );
    if (ended === 1) {
      return { documents };
    }
  }
}
