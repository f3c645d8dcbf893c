/** The control API as procedures, usable from any client of an administrator. What each does is documented in the sandbox's README. */
import { SqlError } from '../session.ts';
import { cleanUpDatabase, cleanUpTable } from './cleanup.ts';
import { findTable, objectNameOf } from './object-names.ts';
import type { Procedure, ProcedureCall } from './procedure-call.ts';

function text(call: ProcedureCall, name: string, position: number): string | null {
  const value = call.get(name, position)?.value;
  return typeof value === 'string' ? value : null;
}

function milliseconds(call: ProcedureCall): number {
  const value = call.get('@ms', 0)?.value;
  const ms = typeof value === 'number' || typeof value === 'bigint' ? Number(value) : Number.NaN;
  if (!Number.isInteger(ms) || ms < 0) {
    throw new SqlError(50_002, 'The parameter @ms must be a number of milliseconds, 0 or more.');
  }
  return ms;
}

function administrator(procedure: Procedure): Procedure {
  return async (call) => {
    if (!call.runner.session.administrator) {
      throw new SqlError(229, "The EXECUTE permission was denied on the object, database 'sandbox', schema 'sandbox'.", {
        class: 14,
        state: 5,
      });
    }
    await procedure(call);
    call.runner.done();
  };
}

export const controlProcedures: ReadonlyMap<string, Procedure> = new Map<string, Procedure>([
  [
    'set_visibility_gap',
    administrator((call) => {
      call.runner.session.instance.manager.visibilityGapMs = milliseconds(call);
    }),
  ],
  [
    'slow_answers',
    administrator((call) => {
      const count = call.get('@count', 2)?.value;
      call.runner.session.instance.gate.slowAnswers(milliseconds(call), {
        appName: text(call, '@app_name', 1) ?? undefined,
        count: typeof count === 'number' ? count : undefined,
      });
    }),
  ],
  [
    'cut_connections',
    administrator(async (call) => {
      const { session } = call.runner;
      const app = text(call, '@app_name', 0)?.toLowerCase();
      for (const other of [...session.instance.sessions.values()]) {
        if (other.id !== session.id && (app === undefined || other.appName.toLowerCase() === app)) {
          session.instance.cut(other.id);
        }
      }
    }),
  ],
  [
    'cleanup_change_tracking',
    administrator(async (call) => {
      const named = text(call, '@table', 0);
      await call.runner.atomic((context) => {
        const { database, instance } = context;
        const name = named === null ? null : objectNameOf(named);
        if (name === null) {
          cleanUpDatabase(instance, database, database.tracking.current);
        } else {
          cleanUpTable(instance, findTable(context.session, name), database.tracking.current);
        }
      });
    }),
  ],
]);
