/** Who runs a command, as requests and the audit have it. */
import { hostname, userInfo } from 'node:os';

/** `ann@host`; `uid-10001@host` for a user without a name, as containers have them: the system knows no entry of it. */
export function operatorName(nameOf: () => string = () => userInfo().username): string {
  try {
    return `${nameOf()}@${hostname()}`;
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}@${hostname()}`;
  }
}
