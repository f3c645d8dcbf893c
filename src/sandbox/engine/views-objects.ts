/** Views of objects: tables, columns, indexes, constraints, partitions. */
import type { SystemView } from './views-columns.ts';

export const objectViews: readonly SystemView[] = [];
