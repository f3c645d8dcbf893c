/**
 * A daemon's life inside a process: started, run until it ends or a signal comes, stopped within its time. The first SIGTERM or SIGINT
 * finishes the batch in hand and hands over the lease; a second one exits now; a watchdog that keeps no process alive exits when the time
 * has passed. Only here are signals listened to.
 */
import type { Logger } from '../observe/logger.ts';
import type { Daemon, DaemonOutcome } from './daemon.ts';

const SIGNALS = { SIGTERM: 143, SIGINT: 130 } as const;

/** What a process is to its life cycle: `process` itself, or a test's. */
export interface SignalSource {
  on(signal: keyof typeof SIGNALS, listener: () => void): unknown;
  off(signal: keyof typeof SIGNALS, listener: () => void): unknown;
}

export interface LifeCycleOptions {
  /** How long a stop may take, in ms. */
  readonly shutdownMs: number;
  readonly log: Logger;
  readonly signals: SignalSource;
  /** Ends the process at once. */
  readonly exitNow: (code: number) => void;
}

/**
 * Starts the daemon and waits for its end.
 * @throws what `start` throws; nothing is left running then
 */
export async function runDaemon(daemon: Daemon, { shutdownMs, log, signals, exitNow }: LifeCycleOptions): Promise<DaemonOutcome> {
  let stopping = false;
  const listeners = Object.entries(SIGNALS).map(([name, code]) => {
    const listener = (): void => {
      if (stopping) {
        log.warn({ signal: name }, 'second signal: exit now');
        exitNow(code);
        return;
      }
      stopping = true;
      log.info({ signal: name, shutdownMs }, 'stopping');
      setTimeout(() => {
        log.error({ shutdownMs }, 'the stop took too long: exit now');
        exitNow(code);
      }, shutdownMs).unref();
      void daemon.stop();
    };
    return [name as keyof typeof SIGNALS, listener] as const;
  });
  for (const [name, listener] of listeners) {
    signals.on(name, listener);
  }
  try {
    await daemon.start();
    return await daemon.done;
  } finally {
    for (const [name, listener] of listeners) {
      signals.off(name, listener);
    }
  }
}
