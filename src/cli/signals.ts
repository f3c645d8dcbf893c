/** Signals for commands other than `run`: the first one ends the command in order, the second one is the system's own. */
import { once, setMaxListeners } from 'node:events';

const INTERRUPTED = new Error('interrupted');

/**
 * Runs `work` with a signal that fires at the first SIGINT or SIGTERM.
 * @returns what `work` returned, or 130 when it was interrupted
 */
export async function untilSignal(work: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const controller = new AbortController();
  // As many as there are tables wait for it; Node would take eleven of them for a leak.
  setMaxListeners(0, controller.signal);
  const interrupt = (): void => controller.abort(INTERRUPTED);
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (error === INTERRUPTED) {
      return 130;
    }
    throw error;
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

/** Resolves when the signal fires, or has fired. */
export async function signalled(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) {
    await once(signal, 'abort');
  }
}
