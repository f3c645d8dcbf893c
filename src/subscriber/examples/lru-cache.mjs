// An lru-cache that a program already has, kept fresh: it loads from SQL Server as before, and what has changed there goes out of it.
// PATCHWIRE_REDIS=redis://… PATCHWIRE_MSSQL='Server=…' node lru-cache.mjs   (the daemon with manager.invalidations: true)
import { LRUCache } from 'lru-cache';
import sql from 'mssql';
import { subscribe } from 'patchwire/subscriber';
import { freshCache } from 'patchwire/subscriber/adapters';

const pool = await sql.connect(process.env.PATCHWIRE_MSSQL);
const coupons = subscribe({ redis: process.env.PATCHWIRE_REDIS, partition: 'shop', section: 'coupons', mode: 'invalidate' });
const cache = freshCache(coupons, new LRUCache({ max: 10_000 }));
await coupons.waitUntilLive();

const load = async (code) =>
  (await pool.request().input('code', code).query('SELECT * FROM dbo.Coupons WHERE Code = @code')).recordset[0] ?? null;
const show = (text) => process.stdout.write(`${text}\n`);

for (let i = 0; i < 1000; i++) {
  await cache.get('WELCOME10', () => load('WELCOME10'));
}
show(`1000 gets, ${cache.counters.loads} read`);

// Read your own writes: after the commit, until it was told.
await pool.query(`UPDATE dbo.Coupons SET PercentOff = 25 WHERE Code = N'WELCOME10'`);
const { recordset } = await pool.query('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS version');
await cache.waitForVersion(recordset[0].version, { timeoutMs: 10_000 });
show(`now ${(await cache.get('Welcome10', () => load('Welcome10'))).PercentOff} % off, ${cache.counters.loads} read`);
await cache[Symbol.asyncDispose]();
await coupons.close();
await pool.close();
