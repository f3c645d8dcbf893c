/** The numbers and names of the formats that publisher and reader agree on. Plain values: a reader needs no schema library for them. */

export const MESSAGE_VERSION = 1;

/** What `meta.format` says of the layout in Redis. A daemon refuses a greater one by name. */
export const STORE_FORMAT = 2;

/** The format of a section that holds every row: readers of format 1 know nothing of sections that do not, and would call themselves equal. */
export const WHOLE_FORMAT = 1;

export const SECTION_STATES = ['loading', 'resyncing', 'live'] as const;
