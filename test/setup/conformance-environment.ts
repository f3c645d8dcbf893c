/** In each worker of the project `conformance`, before its tests: PATCHWIRE_TEST_MSSQL names the server that was started for them. */
import { inject } from 'vitest';

process.env['PATCHWIRE_TEST_MSSQL'] = inject('mssql');
