/**
 * The demo's traffic: seeded steps, each one transaction of plain T-SQL with what a subscriber must hear of it. Numbers of orders lie beyond
 * 2^53 on purpose. The steps keep their own books of which rows live, so that every statement hits what it names.
 */
import { attributes, between, cents, customerName, guid, moment, pick, type SectionName, text } from './order-desk.ts';
import type { Random } from '../lib/random.ts';

/** The kinds of change that the demo must have seen arrive as patches. */
export const KINDS = ['insert', 'update', 'json update', 'no-op update', 'key change', 'respelled key', 'delete', 'burst'] as const;
export type ChangeKind = (typeof KINDS)[number];

export interface Step {
  readonly kind: ChangeKind;
  /** One line that tells a reader what happens. */
  readonly title: string;
  /** Run in one transaction. */
  readonly statements: readonly string[];
  /** The sections whose tables the statements touch. */
  readonly touches: readonly SectionName[];
  /** What a subscriber must hear, in any order; the patch that proves it has one of its operations on such a path. Empty: silence. */
  readonly expected: readonly Expectation[];
}

export interface Expectation {
  readonly section: SectionName;
  readonly dataKey: string;
  readonly op: 'upsert' | 'remove';
  /** A path that the patch must touch; '' is the whole document. */
  readonly path: string;
}

const FIRST_ORDER = 9_007_199_254_740_990n;

/** The books of the traffic: the keys that live. */
interface Books {
  nextOrder: bigint;
  nextProduct: number;
  readonly orders: bigint[];
  readonly products: number[];
  coupon: number;
}

/** One step of each kind and `extra` more of random kinds, then a burst; the same for the same random numbers. */
export function* traffic(random: Random, { extra, burstRows }: { readonly extra: number; readonly burstRows: number }): Generator<Step> {
  const books: Books = {
    nextOrder: FIRST_ORDER + 61n,
    nextProduct: 26,
    orders: Array.from({ length: 60 }, (_, i) => FIRST_ORDER + BigInt(i + 1)),
    products: Array.from({ length: 25 }, (_, i) => i + 1),
    coupon: 0,
  };
  const makers = [placeOrder, moveOrder, restyleProduct, touchNothing, renumberProduct, respellCoupon, cancelOrder, changeCustomer];
  for (const make of makers) {
    yield make(random, books);
  }
  for (let i = 0; i < extra; i += 1) {
    yield pick(random, makers)(random, books);
  }
  yield burst(random, books, burstRows);
}

function takeOrder(random: Random, books: Books): bigint {
  const at = between(random, 0, books.orders.length - 1);
  const order = books.orders[at];
  if (order === undefined) {
    throw new RangeError('the demo ran out of orders');
  }
  return order;
}

function placeOrder(random: Random, books: Books): Step {
  const order = books.nextOrder;
  books.nextOrder += 1n;
  books.orders.push(order);
  const lines = between(random, 1, 3);
  return {
    kind: 'insert',
    touches: ['orders', 'orderLines'],
    title: `order ${order} is placed with ${lines} line${lines === 1 ? '' : 's'}`,
    statements: [
      `INSERT INTO dbo.Orders (OrderId, CustomerId, Status, Total, PlacedAt, Reference) VALUES (${order}, ${between(random, 1, 40)}, 'new', ${cents(random, 5, 4000)}, '${moment(random)}', '${guid(random)}')`,
      ...Array.from(
        { length: lines },
        (_, i) =>
          `INSERT INTO dbo.OrderLines (OrderId, LineNumber, ProductId, Quantity, Price) VALUES (${order}, ${i + 1}, ${between(random, 1, 25)}, ${between(random, 1, 9)}, ${cents(random, 1, 900)})`,
      ),
    ],
    expected: [
      { section: 'orders', dataKey: `${order}`, op: 'upsert', path: '' },
      ...Array.from({ length: lines }, (_, i) => ({
        section: 'orderLines' as const,
        dataKey: `${order}|${i + 1}`,
        op: 'upsert' as const,
        path: '',
      })),
    ],
  };
}

/** Statuses carry a number, so that every update is a change. */
function moveOrder(random: Random, books: Books): Step {
  const order = takeOrder(random, books);
  const status = `${pick(random, ['paid', 'packed', 'shipped'])}-${between(random, 1000, 9999)}`;
  return {
    kind: 'update',
    touches: ['orders'],
    title: `order ${order} becomes ${status}`,
    statements: [`UPDATE dbo.Orders SET Status = '${status}', Total = Total + 0.01 WHERE OrderId = ${order}`],
    expected: [{ section: 'orders', dataKey: `${order}`, op: 'upsert', path: '/Status' }],
  };
}

function restyleProduct(random: Random, books: Books): Step {
  const product = pick(random, books.products);
  const json = JSON.stringify({ ...(JSON.parse(attributes(random)) as object), revision: between(random, 1, 1_000_000) });
  return {
    kind: 'json update',
    touches: ['products'],
    title: `product ${product} gets other attributes (nested JSON)`,
    statements: [`UPDATE dbo.Products SET Attributes = ${text(json)} WHERE ProductId = ${product}`],
    expected: [{ section: 'products', dataKey: `${product}`, op: 'upsert', path: '/Attributes/revision' }],
  };
}

function touchNothing(random: Random): Step {
  return {
    kind: 'no-op update',
    touches: ['customers'],
    title: 'an UPDATE sets every customer to what he is: change tracking reports it, no patch follows',
    statements: [`UPDATE dbo.Customers SET Name = Name, Vip = Vip WHERE CustomerId <= ${between(random, 3, 40)}`],
    expected: [],
  };
}

function renumberProduct(random: Random, books: Books): Step {
  const at = between(random, 0, books.products.length - 1);
  const from = books.products[at] ?? 1;
  const to = books.nextProduct;
  books.nextProduct += 1;
  books.products[at] = to;
  return {
    kind: 'key change',
    touches: ['products'],
    title: `product ${from} becomes number ${to}`,
    statements: [`UPDATE dbo.Products SET ProductId = ${to}, Price = Price + 1 WHERE ProductId = ${from}`],
    expected: [
      { section: 'products', dataKey: `${from}`, op: 'remove', path: '' },
      { section: 'products', dataKey: `${to}`, op: 'upsert', path: '' },
    ],
  };
}

function respellCoupon(random: Random, books: Books): Step {
  const spellings = ['Welcome10', 'welcome10', 'WELCOME10'] as const;
  const code = spellings[books.coupon % spellings.length] ?? 'WELCOME10';
  books.coupon += 1;
  return {
    kind: 'respelled key',
    touches: ['coupons'],
    title: `the coupon is respelled ${code}: the same key to SQL Server, another to a cache`,
    statements: [`UPDATE dbo.Coupons SET Code = ${text(code)}, PercentOff = ${between(random, 5, 50)} WHERE Code = N'welcome10'`],
    expected: [{ section: 'coupons', dataKey: encodeURIComponent(code), op: 'upsert', path: '' }],
  };
}

function cancelOrder(random: Random, books: Books): Step {
  const order = takeOrder(random, books);
  books.orders.splice(books.orders.indexOf(order), 1);
  return {
    kind: 'delete',
    touches: ['orders', 'orderLines'],
    title: `order ${order} is deleted with its lines`,
    statements: [`DELETE FROM dbo.OrderLines WHERE OrderId = ${order}`, `DELETE FROM dbo.Orders WHERE OrderId = ${order}`],
    expected: [{ section: 'orders', dataKey: `${order}`, op: 'remove', path: '' }],
  };
}

function changeCustomer(random: Random): Step {
  const customer = between(random, 1, 40);
  return {
    kind: 'update',
    touches: ['customers'],
    title: `customer ${customer} is renamed and pays`,
    statements: [
      `UPDATE dbo.Customers SET Name = ${text(`${customerName(random)} ${between(random, 100, 999)}`)}, Credit = Credit - 0.0001, Email = NULL WHERE CustomerId = ${customer}`,
    ],
    expected: [{ section: 'customers', dataKey: `${customer}`, op: 'upsert', path: '/Name' }],
  };
}

function burst(random: Random, books: Books, rows: number): Step {
  const first = books.nextOrder;
  books.nextOrder += BigInt(rows);
  const customer = between(random, 1, 40);
  const total = cents(random, 5, 4000);
  const value = (n: number): string => `(${first + BigInt(n)}, ${customer}, 'bulk', ${total}, '${moment(random)}', '${guid(random)}')`;
  const statements: string[] = [];
  for (let n = 0; n < rows; n += 500) {
    const values = Array.from({ length: Math.min(500, rows - n) }, (_, i) => value(n + i));
    statements.push(`INSERT INTO dbo.Orders (OrderId, CustomerId, Status, Total, PlacedAt, Reference) VALUES\n${values.join(',\n')}`);
  }
  statements.push('UPDATE dbo.Products SET Price = Price + 0.05');
  return {
    kind: 'burst',
    touches: ['orders', 'products'],
    title: `one transaction inserts ${rows} orders and reprices every product`,
    statements,
    expected: [
      { section: 'orders', dataKey: `${first}`, op: 'upsert', path: '' },
      { section: 'orders', dataKey: `${first + BigInt(rows - 1)}`, op: 'upsert', path: '' },
      { section: 'products', dataKey: `${books.products[0] ?? 1}`, op: 'upsert', path: '/Price' },
    ],
  };
}
