// An HTTP server that answers from a lazy cache: a coupon is read from Redis when somebody asks for it first, and is in step from then on.
// PATCHWIRE_REDIS=redis://… PORT=8080 node http-server.mjs
import { createServer } from 'node:http';
import { subscribe } from 'patchwire/subscriber';

const coupons = subscribe({ redis: process.env.PATCHWIRE_REDIS, partition: 'shop', section: 'coupons', mode: 'lazy', max: 10_000 });

async function answer(url, response) {
  const say = (status, body) => response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
  const [, code] = /^\/coupons\/([^/?]+)$/.exec(url) ?? [];
  try {
    // What stands in the path is a data key: percent-encoded, as messages and Redis have it.
    const coupon = code === undefined ? undefined : await coupons.get(code, { timeoutMs: 1000 });
    if (coupon === undefined && code !== undefined && (await coupons.unavailable(code, { timeoutMs: 1000 }))) {
      // The row exists, its document cannot be published.
      say(503, { error: 'in quarantine' });
      return;
    }
    say(coupon === undefined ? 404 : 200, coupon ?? { error: 'no such coupon' });
  } catch (error) {
    say(503, { error: error.message, state: coupons.state().status });
  }
}

const server = createServer((request, response) => void answer(request.url ?? '', response));
server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${server.address().port}/coupons/WELCOME10\n`);
});

process.once('SIGTERM', () => {
  server.close();
  void coupons.close();
});
