/** The embedding API: what `patchwire run` itself is built on. The subscriber is `patchwire/subscriber`, which loads no SQL Server driver. */
export { loadConfig, parseConfig, type LoadOptions, type ParseOptions } from './config/load.ts';
export type { Config, SourceConfig, TableConfig } from './config/schema.ts';
export { createDaemon, type Daemon, type DaemonDependencies, type DaemonOutcome, type DaemonStatus } from './daemon/daemon.ts';
export type {
  AdoptResult,
  Advance,
  Base,
  Batch,
  DistributedDataManager,
  ExportedSection,
  Incomplete,
  LeadResult,
  LoadCursor,
  OperationProgress,
  OperatorRequest,
  Paused,
  RowWrite,
  SectionMeta,
  Transition,
} from './manager/distributed-data-manager.ts';
export { redisDataManager, type RedisDataManagerOptions } from './manager/redis/redis-data-manager.ts';
export type { ChangePage, LoadPage, PageCursor, RowState, TrackingPosition } from './model/change.ts';
export type { Document, JsonValue, Patch, PatchOperation } from './model/document.ts';
export { CATALOGUE, type CatalogueEntry, type ErrorCode } from './model/error-catalogue.ts';
export { PatchwireError, type ErrorKind, type RetryClass } from './model/errors.ts';
export type { ColumnShape, PublishedColumn, SourceIdentity, TableSelection, TrackedTable } from './model/table.ts';
export type { Version } from './model/version.ts';
export type { FaultHooks, SectionFault } from './observe/section-hooks.ts';
export type { SectionStatus } from './observe/section-record.ts';
export { AutoBatcher, type AutoBatcherOptions, type ItemBatch } from './pipeline/batches.ts';
export type { BatchHooks, HookedBatch } from './pipeline/hooks.ts';
export type { LoadLimits } from './pipeline/load-pace.ts';
export { runSection, type SectionEnd, type SectionOptions } from './pipeline/section.ts';
export type {
  ChangeTracker,
  LoadPageOptions,
  PollPacing,
  Probe,
  RowCount,
  TrackChangesOptions,
  WindowPage,
} from './source/change-tracker.ts';
export { sqlServerChangeTracker, type SqlServerChangeTrackerOptions } from './source/sqlserver/sql-server-change-tracker.ts';
