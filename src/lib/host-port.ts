/** Addresses as people write them: host:port. Reads and writes text; resolves no name. */

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `host`, `host:port`, `[::1]` or `[::1]:6379`; null: it is none. */
export function parseHostPort(text: string, defaultPort: number): HostPort | null {
  const [, six, name, number] = /^(?:\[([0-9a-f:.]+)\]|([^\s:/@[\]]+))(?::(\d{1,5}))?$/iu.exec(text) ?? [];
  const host = six ?? name;
  const port = number === undefined ? defaultPort : Number(number);
  return host === undefined || port < 1 || port > 65_535 ? null : { host, port };
}

/** `redis-1:6379`, `[::1]:6379`. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
