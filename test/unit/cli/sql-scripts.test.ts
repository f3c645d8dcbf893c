import { describe, expect, it } from 'vitest';
import { fillScript } from '../../../src/cli/sql-scripts.ts';

const filling = {
  database: 'My]Shop',
  tables: [
    { schema: 'dbo', name: 'A' },
    { schema: 'd]', name: "B'" },
  ],
  user: 'me',
  retention: '3 DAYS',
};

describe('a script of sql/', () => {
  it('is filled: each batch that names a table once for each, remarks once, instructions taken out', () => {
    const text = `-- What it does.
--
-- Replace:  OrderDesk      the database
--           dbo, Orders    the table
--
-- More.

USE [OrderDesk];
GO

-- A remark.
IF OBJECT_ID(N'[dbo].[Orders]') IS NOT NULL
  ALTER TABLE [dbo].[Orders] ENABLE CHANGE_TRACKING;
GO
ALTER DATABASE [OrderDesk] SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 7 DAYS); -- N'OrderDesk' for [patchwire], N'patchwire'
GO
`;
    expect(fillScript(text, filling).trim()).toBe(`-- What it does.
--
-- More.

USE [My]]Shop];
GO

-- A remark.
IF OBJECT_ID(N'[dbo].[A]') IS NOT NULL
  ALTER TABLE [dbo].[A] ENABLE CHANGE_TRACKING;
GO

IF OBJECT_ID(N'[d]]].[B'']') IS NOT NULL
  ALTER TABLE [d]]].[B'] ENABLE CHANGE_TRACKING;
GO

ALTER DATABASE [My]]Shop] SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 3 DAYS); -- N'My]Shop' for [me], N'me'
GO`);
  });
});
