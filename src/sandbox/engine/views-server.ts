/** Views of the server: sys.databases, sys.change_tracking_databases, sys.dm_exec_sessions. */
import type { SqlValue } from '../sql-types.ts';
import type { ConnectedSession } from './instance.ts';
import type { StatementContext } from './statement-context.ts';
import { dateTimeOf } from './system-functions.ts';
import type { SystemView } from './views-columns.ts';
import { bit, datetime, guid, int, nvarchar, smallint, sysname, tinyint } from './views-columns.ts';

const UNITS = { minutes: 1, hours: 2, days: 3 } as const;

export const serverViews: readonly SystemView[] = [
  {
    name: 'sys.databases',
    columns: [
      ['name', sysname, false],
      ['database_id', int, false],
      ['create_date', datetime, false],
      ['compatibility_level', tinyint, false],
      ['collation_name', sysname],
      ['user_access_desc', nvarchar(60)],
      ['is_read_only', bit],
      ['state', tinyint],
      ['state_desc', nvarchar(60)],
      ['snapshot_isolation_state', tinyint],
      ['snapshot_isolation_state_desc', nvarchar(60)],
      ['is_read_committed_snapshot_on', bit],
      ['recovery_model', tinyint],
      ['recovery_model_desc', nvarchar(60)],
      ['service_broker_guid', guid, false],
      ['is_broker_enabled', bit, false],
    ],
    *rows(context) {
      for (const database of context.instance.databases.values()) {
        const recovery = database.options.get('RECOVERY') ?? 'FULL';
        const snapshot = database.snapshotAllowed || database.name === 'master' || database.name === 'msdb';
        yield [
          database.name,
          database.id,
          dateTimeOf(database.createdAt),
          Number(database.options.get('COMPATIBILITY_LEVEL') ?? '160'),
          database.collation,
          database.access,
          database.readOnly,
          database.offline ? 6 : 0,
          database.offline ? 'OFFLINE' : 'ONLINE',
          snapshot ? 1 : 0,
          snapshot ? 'ON' : 'OFF',
          database.readCommittedSnapshot,
          recovery === 'FULL' ? 1 : recovery === 'SIMPLE' ? 3 : 2,
          recovery,
          database.brokerGuid,
          true,
        ];
      }
    },
  },
  {
    name: 'sys.change_tracking_databases',
    columns: [
      ['database_id', int, false],
      ['is_auto_cleanup_on', bit],
      ['retention_period', int],
      ['retention_period_units_desc', nvarchar(60)],
      ['retention_period_units', tinyint],
    ],
    *rows(context) {
      for (const { id, tracking } of context.instance.databases.values()) {
        if (tracking.on) {
          const { count, unit } = tracking.retention;
          yield [id, tracking.autoCleanup, count, unit.toUpperCase(), UNITS[unit]];
        }
      }
    },
  },
  {
    name: 'sys.dm_exec_sessions',
    columns: [
      ['session_id', smallint, false],
      ['login_time', datetime, false],
      ['host_name', nvarchar(128)],
      ['program_name', nvarchar(128)],
      ['login_name', nvarchar(128), false],
      ['status', nvarchar(30), false],
      ['database_id', smallint, false],
      ['is_user_process', bit, false],
      ['open_transaction_count', int, false],
      ['transaction_isolation_level', smallint, false],
    ],
    *rows(context) {
      const levels = ['', 'read uncommitted', 'read committed', 'repeatable read', 'serializable', 'snapshot'];
      for (const session of context.instance.sessions.values()) {
        if (context.session.administrator || session.id === context.session.id) {
          const row: SqlValue[] = [
            session.id,
            dateTimeOf(session.startedAt),
            session.hostName,
            session.appName,
            session.loginName,
            session.running ? 'running' : 'sleeping',
            context.instance.database(session.database)?.id ?? 1,
            true,
            session.openTransactions,
            levels.indexOf(session.isolation),
          ];
          yield row;
        }
      }
    },
  },
  {
    name: 'sys.dm_exec_connections',
    columns: [
      ['session_id', int],
      ['connect_time', datetime, false],
      ['net_transport', nvarchar(40), false],
      ['protocol_type', nvarchar(40)],
      ['encrypt_option', nvarchar(40), false],
      ['auth_scheme', nvarchar(40), false],
      ['client_net_address', nvarchar(48)],
      ['local_net_address', nvarchar(48)],
    ],
    *rows(context) {
      for (const session of seenSessions(context)) {
        const encrypted = session.encrypted ? 'TRUE' : 'FALSE';
        yield [session.id, dateTimeOf(session.startedAt), 'TCP', 'TSQL', encrypted, 'SQL', '127.0.0.1', '127.0.0.1'];
      }
    },
  },
  {
    name: 'sys.dm_exec_requests',
    columns: [
      ['session_id', smallint, false],
      ['request_id', int, false],
      ['status', nvarchar(30), false],
      ['command', nvarchar(32), false],
      ['database_id', smallint, false],
      ['blocking_session_id', smallint],
      ['open_transaction_count', int, false],
    ],
    *rows(context) {
      for (const session of seenSessions(context)) {
        if (session.running) {
          const database = context.instance.database(session.database)?.id ?? 1;
          yield [session.id, 0, 'running', 'SELECT', database, 0, session.openTransactions];
        }
      }
    },
  },
  {
    name: 'sys.server_principals',
    columns: [
      ['name', sysname, false],
      ['principal_id', int, false],
      ['type', nvarchar(1), false],
      ['type_desc', nvarchar(60)],
      ['is_disabled', bit],
      ['default_database_name', sysname],
      ['default_language_name', sysname],
      ['is_fixed_role', bit, false],
    ],
    *rows({ instance, session }) {
      for (const login of instance.logins.values()) {
        if (session.administrator || login === session.login) {
          yield [login.name, login.id, 'S', 'SQL_LOGIN', !login.enabled, login.defaultDatabase, 'us_english', false];
        }
      }
      yield ['public', 2, 'R', 'SERVER_ROLE', false, null, null, true];
      yield ['sysadmin', 3, 'R', 'SERVER_ROLE', false, null, null, true];
    },
  },
];

function seenSessions({ instance, session }: StatementContext): ConnectedSession[] {
  return [...instance.sessions.values()].filter((each) => session.administrator || each.id === session.id);
}
