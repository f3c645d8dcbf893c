/** How the sandbox refuses what is real T-SQL but outside its subset: by name, with a number that SQL Server does not use. */
import { SqlError } from '../session.ts';

/** The number of every UnsupportedError: user-defined numbers begin at 50001, so SQL Server itself never raises it. */
export const UNSUPPORTED_ERROR = 50001;

/** @throws-able: "The sandbox does not support <construct>." */
export class UnsupportedError extends SqlError {
  constructor(construct: string, line = 0) {
    super(UNSUPPORTED_ERROR, `The sandbox does not support ${construct}.`, { line });
    this.name = 'UnsupportedError';
  }
}
