/**
 * The Prometheus metrics, `patchwire_…`, all fed by the observer that the pipeline tells: no stage knows of them. Seconds and bytes are the
 * units; labels are section and table, and an error's code: bounded by the configuration and the catalogue. A version above 2^53 loses
 * its last digits here (a sample is a double), nowhere else.
 */
import { CaughtUp } from './caught-up.ts';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Clock } from '../lib/clock.ts';
import type { SectionObserver } from './section-observer.ts';
import type { SectionPhase } from './section-record.ts';
import type { ServerStatus } from './server-status.ts';

const PHASES: readonly SectionPhase[] = ['starting', 'standby', 'loading', 'resyncing', 'live', 'retrying', 'paused', 'stopped'];

const BREAKER_STATES = ['closed', 'halfOpen', 'open'] as const;

/** From 0.5 ms to 16 s, doubling. */
const SECONDS = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 4, 8, 16];

export interface Metrics {
  /** The observer of one section. Its series exist from then on, at 0. */
  observer(section: string, table: string): SectionObserver;
  /** The section was purged: its gauges go, its counters stay. */
  forget(section: string, table: string): void;
  /** A value of a json column stayed text, since nesting it would have changed it. */
  jsonKept(source: string): void;
  /** What is known of the partition's daemons; null: nothing now. */
  sharing(status: { readonly daemons: readonly unknown[] | null; readonly standby: number }): void;
  /** The circuit breaker of a server changed. */
  server(status: ServerStatus): void;
  /** The page of GET /metrics and its content type. */
  page(): Promise<{ readonly contentType: string; readonly body: string }>;
}

export interface MetricsOptions {
  readonly version: string;
  readonly clock: Clock;
  /** The process's own metrics (CPU, memory, event loop); they are process-wide. */
  readonly process?: boolean;
}

type Labels = { readonly section: string; readonly table: string };

function setOrRemove(metric: Gauge<'section' | 'table'>, labels: Labels, value: number | null): void {
  if (value === null) {
    metric.remove(labels);
  } else {
    metric.set(labels, value);
  }
}

export function createMetrics({ version, clock, process: ofProcess = true }: MetricsOptions): Metrics {
  const registry = new Registry();
  const registers = [registry];
  if (ofProcess) {
    collectDefaultMetrics({ register: registry });
  }
  const labelNames = ['section', 'table'] as const;
  const counter = (name: string, help: string) => new Counter({ name: `patchwire_${name}`, help, labelNames, registers });
  const gauge = (name: string, help: string) => new Gauge({ name: `patchwire_${name}`, help, labelNames, registers });
  const histogram = (name: string, help: string) =>
    new Histogram({ name: `patchwire_${name}`, help, labelNames, registers, buckets: SECONDS });

  new Gauge({ name: 'patchwire_build_info', help: 'Always 1; the version is a label.', labelNames: ['version'], registers }).set(
    { version },
    1,
  );
  const polls = counter('polls_total', 'Poll rounds that ended.');
  const windows = counter('windows_total', 'Pages of changes read from the source.');
  const rowsRead = counter('rows_read_total', 'Rows of changes that the source answered with.');
  const rows = counter('rows_delivered_total', 'Rows that were written to Redis.');
  const unchanged = counter('rows_unchanged_total', 'Rows that were equal to what had been delivered.');
  const patches = counter('patches_total', 'JSON Patches that were published.');
  const batches = counter('batches_total', 'Batches that were acknowledged.');
  const bytes = counter('delivered_bytes_total', 'Bytes of documents and patches in acknowledged batches.');
  const heartbeats = counter('heartbeats_total', 'Heartbeats that were sent.');
  const resets = counter('resets_total', 'Times that subscribers had to load the section anew.');
  const resyncs = new Counter({
    name: 'patchwire_resyncs_total',
    help: 'Times that a section was read anew, by reason (a code, or asked) and how: resync (patches) or replace (a new epoch).',
    labelNames: [...labelNames, 'reason', 'how'],
    registers,
  });
  const errors = new Counter({
    name: 'patchwire_errors_total',
    help: 'Errors by code.',
    labelNames: [...labelNames, 'code'],
    registers,
  });
  const pollSeconds = histogram('poll_duration_seconds', 'How long a poll round took at the source.');
  const batchSeconds = histogram('batch_duration_seconds', 'From sending a batch to its acknowledgement.');
  const leader = gauge('leader', '1 while this process leads the section.');
  const checkpoint = gauge('checkpoint_version', 'Where reading resumes.');
  const upTo = gauge('up_to_version', 'Every change up to this version is contained; absent until it can be said.');
  const current = gauge('source_version', 'The version of the source as last seen.');
  const lagVersions = gauge('lag_versions', 'Source version minus checkpoint.');
  const loadRows = gauge('load_rows', 'Rows of the load or sweep under way.');
  const loadEstimate = gauge('load_estimate_rows', 'About how many rows the load will have; absent when unknown.');
  const loadRate = gauge('load_rows_per_second', 'Rows of the load under way per second so far; absent when unknown.');
  const loadLeft = gauge('load_seconds_left', 'About how long the load under way will take; absent when unknown.');
  const paused = gauge('paused', '1 while an operator has paused the section or its load.');
  const sweepHeld = gauge('sweep_held_documents', 'Documents that wait for `patchwire resync --confirm` to be removed; 0: none.');
  const quarantined = gauge('quarantined_rows', 'Rows that cannot be published; why, errors_total counts by code.');
  const failures = gauge('failures_in_a_row', 'Failures of the table in a row without progress; from 10 on it is faulted.');
  const incomplete = gauge('incomplete', '1 while the section lacks rows: followed without a load, or changes were skipped.');
  const phases = new Gauge({
    name: 'patchwire_phase',
    help: '1 for the phase that the section is in.',
    labelNames: [...labelNames, 'phase'],
    registers,
  });
  const caughtUp = new Map<string, { readonly labels: { readonly section: string; readonly table: string }; readonly since: CaughtUp }>();
  const lagSeconds = new Gauge({
    name: 'patchwire_lag_seconds',
    help: 'Seconds since the section was last known to contain every change; absent until it did.',
    labelNames,
    registers,
    collect() {
      for (const { labels, since } of caughtUp.values()) {
        if (since.atMs !== null) {
          this.set(labels, Math.max(0, clock.now() - since.atMs) / 1000);
        }
      }
    },
  });

  const daemonsAlive = new Gauge({
    name: 'patchwire_daemons_alive',
    help: 'Daemons of the partition that are alive, this one included; 0: not known now.',
    registers,
  });
  const led = new Set<string>();
  // Those that have `leader` 1: what sharing holds on to while Redis is down is no lead.
  const sectionsLed = new Gauge({
    name: 'patchwire_sections_led',
    help: 'Sections that this process leads.',
    registers,
    collect() {
      sectionsLed.set(led.size);
    },
  });
  const sectionsStandby = new Gauge({
    name: 'patchwire_sections_standby',
    help: 'Sections that this process stands by for.',
    registers,
  });

  const breakerState = new Gauge({
    name: 'patchwire_breaker_state',
    help: 'The circuit breaker of a server: 0 closed (it serves), 1 half-open (it is being asked), 2 open (nobody asks it).',
    labelNames: ['server'],
    registers,
  });
  const breakerOpenings = new Counter({
    name: 'patchwire_breaker_openings_total',
    help: 'Times that the circuit breaker of a server opened.',
    labelNames: ['server'],
    registers,
  });
  const openings = new Map<string, number>();

  const jsonKept = new Counter({
    name: 'patchwire_json_kept_total',
    help: 'Values of json columns that stayed text, since nesting them would have changed them.',
    labelNames: ['source'],
    registers,
  });

  /** Where a section stands is its leader's to say: a standby's last word would look like a lag that grows. */
  const forgetPosition = (labels: { readonly section: string; readonly table: string }): void => {
    caughtUp.delete(labels.section);
    for (const metric of [lagSeconds, checkpoint, upTo, current, lagVersions]) {
      metric.remove(labels);
    }
  };

  return {
    forget(section, table) {
      const labels = { section, table };
      forgetPosition(labels);
      led.delete(section);
      for (const metric of [leader, failures, loadRows, loadEstimate, loadRate, loadLeft, paused, incomplete, sweepHeld, quarantined]) {
        metric.remove(labels);
      }
      for (const phase of PHASES) {
        phases.remove({ ...labels, phase });
      }
    },
    sharing({ daemons, standby }) {
      daemonsAlive.set(daemons?.length ?? 0);
      sectionsStandby.set(standby);
    },
    server({ server, state, openings: total }) {
      breakerState.set({ server }, BREAKER_STATES.indexOf(state));
      breakerOpenings.inc({ server }, total - (openings.get(server) ?? 0));
      openings.set(server, total);
    },
    jsonKept: (source) => jsonKept.inc({ source }),
    observer(section, table) {
      const labels = { section, table };
      for (const metric of [polls, windows, rowsRead, rows, unchanged, patches, batches, bytes, heartbeats, resets]) {
        metric.inc(labels, 0);
      }
      leader.set(labels, 0);
      let since = new CaughtUp();
      return {
        phase(now, detail) {
          since.phase(now);
          failures.set(labels, detail?.failures ?? 0);
          if (now === 'standby') {
            since = new CaughtUp();
            forgetPosition(labels);
          }
          for (const phase of PHASES) {
            phases.set({ ...labels, phase }, phase === now ? 1 : 0);
          }
          if (now !== 'loading' && now !== 'resyncing') {
            [loadRows, loadEstimate, loadRate, loadLeft].forEach((metric) => metric.remove(labels));
          }
        },
        polled(round) {
          since.polled(round);
          polls.inc(labels);
          windows.inc(labels, round.read ? 1 : 0);
          rowsRead.inc(labels, round.rows);
          pollSeconds.observe(labels, round.durationMs / 1000);
        },
        delivered(batch) {
          batches.inc(labels);
          rows.inc(labels, batch.rows);
          patches.inc(labels, batch.patches);
          bytes.inc(labels, batch.bytes);
          batchSeconds.observe(labels, batch.durationMs / 1000);
        },
        unchanged: (count) => unchanged.inc(labels, count),
        position(position) {
          since.position(position);
          caughtUp.set(section, { labels, since });
          checkpoint.set(labels, Number(position.checkpoint));
          current.set(labels, Number(position.current));
          lagVersions.set(labels, Math.max(0, Number(position.current - position.checkpoint)));
          if (position.upTo === null) {
            upTo.remove(labels);
          } else {
            upTo.set(labels, Number(position.upTo));
          }
        },
        loadProgress(progress) {
          loadRows.set(labels, progress.rows);
          setOrRemove(loadEstimate, labels, progress.estimate);
          setOrRemove(loadRate, labels, progress.rowsPerSecond);
          setOrRemove(loadLeft, labels, progress.secondsLeft);
        },
        heartbeat: () => heartbeats.inc(labels),
        leading(meta) {
          leader.set(labels, meta === null ? 0 : 1);
          led[meta === null ? 'delete' : 'add'](section);
          paused.set(labels, (meta?.paused ?? null) === null ? 0 : 1);
          incomplete.set(labels, (meta?.incomplete ?? null) === null ? 0 : 1);
          if (meta === null) {
            sweepHeld.set(labels, 0);
            quarantined.set(labels, 0);
          }
        },
        error: (code) => errors.inc({ ...labels, code }),
        reset: () => resets.inc(labels),
        resync: ({ reason, how }) => resyncs.inc({ ...labels, reason, how }),
        sweepHeld: (held) => sweepHeld.set(labels, held?.missing ?? 0),
        quarantine: ({ rows }) => quarantined.set(labels, rows),
      };
    },
    page: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  };
}
