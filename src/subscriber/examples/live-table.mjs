// A live table in the terminal: every document of a section, drawn anew when something changes, with where it stands.
// PATCHWIRE_REDIS=redis://… node live-table.mjs [section]
import { subscribe } from 'patchwire/subscriber';

const [, , section = 'coupons'] = process.argv;
const rows = subscribe({ redis: process.env.PATCHWIRE_REDIS, partition: 'shop', section });
const changed = new Set();
let due = null;

function draw() {
  due = null;
  const columns = [...new Set([...rows.values()].flatMap((row) => Object.keys(row)))].slice(0, 6);
  const line = (cells) =>
    cells
      .map((cell) =>
        String(cell ?? '')
          .slice(0, 18)
          .padEnd(20),
      )
      .join('');
  const table = [...rows].slice(0, 20).map(([key, row]) => `${changed.has(key) ? '*' : ' '} ${line(columns.map((name) => row[name]))}`);
  const { status, equal, reasons } = rows.state();
  const where = `${section}: ${rows.size} rows, ${status}, ${equal ? 'equal' : reasons.join(', ')}, version ${rows.position()?.upTo ?? '?'}`;
  // Clears the terminal, where it is one.
  process.stdout.write(`${process.stdout.isTTY ? '\u001B[2J\u001B[H' : ''}${[where, `  ${line(columns)}`, ...table].join('\n')}\n`);
  changed.clear();
}
// At most ten times a second, however much changes.
const redraw = () => (due ??= setTimeout(draw, 100));

rows.on('change', ({ dataKey }) => {
  changed.add(dataKey);
  redraw();
});
['live', 'gap', 'recovered', 'reset', 'lag'].forEach((type) => rows.on(type, redraw));
await new Promise((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve));
await rows.close();
