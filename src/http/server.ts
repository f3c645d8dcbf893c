/** The HTTP surface: GET /live, /ready and /metrics. Status and metrics are handed in; it decides nothing and changes nothing. */
import fastify from 'fastify';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../lib/clock.ts';
import { PatchwireError } from '../model/errors.ts';
import { type HealthStatus, judgeLiveness, judgeReadiness, type Verdict } from './health.ts';

export interface HttpServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly clock: Clock;
  readonly status: () => HealthStatus;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
}

export interface HttpServer extends AsyncDisposable {
  /** Where it listens. */
  readonly address: { readonly host: string; readonly port: number };
}

/** Listens. Disposal closes at once, idle connections included. @throws PatchwireError PW-C108 when host and port cannot be had */
export async function startHttpServer({ host, port, clock, status, metrics }: HttpServerOptions): Promise<HttpServer> {
  const server = fastify({ logger: false, forceCloseConnections: true, requestTimeout: 10_000, bodyLimit: 1024 });
  const answer = ({ ok, ...rest }: Verdict) => ({ status: ok ? 'ok' : 'failing', ...rest });
  server.get('/live', (_request, reply) => {
    const verdict = judgeLiveness(status(), clock.now());
    return reply
      .code(verdict.ok ? 200 : 503)
      .header('cache-control', 'no-store')
      .send(answer(verdict));
  });
  server.get('/ready', (_request, reply) => {
    const verdict = judgeReadiness(status(), clock.now());
    return reply
      .code(verdict.ok ? 200 : 503)
      .header('cache-control', 'no-store')
      .send(answer(verdict));
  });
  server.get('/metrics', async (_request, reply) => {
    const page = await metrics();
    return reply.header('content-type', page.contentType).send(page.body);
  });
  try {
    await server.listen({ host, port });
  } catch (error) {
    await server.close();
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'failed';
    throw new PatchwireError('PW-C108', `cannot listen on http://${host}:${port} (${reason})`, { cause: error, details: { host, port } });
  }
  const bound = server.server.address() as AddressInfo;
  return {
    address: { host, port: bound.port },
    async [Symbol.asyncDispose]() {
      await server.close();
    },
  };
}
