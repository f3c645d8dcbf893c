import { describe, expect, it } from 'vitest';
import type { DaemonStatus } from '../../../src/daemon/daemon.ts';
import { unlessStopped } from '../../../src/demo/stage.ts';

const CALM = new AbortController().signal;

const daemonIn = (phase: string, trouble: object | null) => ({
  status: () => ({ sections: [{ section: 'orders', phase, trouble }] }) as unknown as DaemonStatus,
});
const NO_TRACKING = { code: 'PW-S205', message: 'Change tracking is off for dbo.Orders.', hint: 'Switch it on.' };

/** A replica that never gets there, and says whether it was told to give up. */
function stuck() {
  const state = { ended: false };
  const wait = ({ signal }: { readonly signal: AbortSignal }): Promise<void>[] => [
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        state.ended = true;
        reject(signal.reason as Error);
      });
    }),
  ];
  return { state, wait };
}

describe('the demo waiting for its replicas', () => {
  it("ends at once with the daemon's own error when a section has stopped", async () => {
    const { state, wait } = stuck();
    await expect(unlessStopped(daemonIn('stopped', NO_TRACKING), CALM, wait)).rejects.toMatchObject({
      code: 'PW-S205',
      message: 'section orders: Change tracking is off for dbo.Orders.',
      hint: 'Switch it on.',
    });
    expect(state.ended).toBe(true);
  });

  it('goes on while a section only retries, and names its trouble when the time is over', async () => {
    const trouble = { ...NO_TRACKING, code: 'PW-M301' };
    await expect(unlessStopped(daemonIn('retrying', trouble), CALM, stuck().wait, 300)).rejects.toMatchObject({ code: 'PW-M301' });
  });

  it('says that nobody knows why when the daemon has no trouble', async () => {
    await expect(unlessStopped(daemonIn('live', null), CALM, stuck().wait, 300)).rejects.toMatchObject({
      code: 'PW-I901',
      message: expect.stringContaining('no trouble') as string,
    });
  });

  it('resolves with the replicas', async () => {
    await unlessStopped(daemonIn('live', null), CALM, () => [Promise.resolve()]);
  });

  it("ends with the signal's reason", async () => {
    const controller = new AbortController();
    const waiting = unlessStopped(daemonIn('live', null), controller.signal, stuck().wait);
    controller.abort(new Error('interrupted'));
    await expect(waiting).rejects.toThrow('interrupted');
  });
});
