-- Changes rows until it is stopped: an order comes, one moves on, the oldest goes.

USE [OrderDesk];
GO

SET NOCOUNT ON;
DECLARE @round int = 0;

WHILE 1 = 1
BEGIN
  SET @round = @round + 1;

  INSERT INTO dbo.Orders (CustomerID, Total) VALUES (@round % 3 + 1, 10 + @round % 90);

  UPDATE dbo.Orders SET Status = 'shipped', ChangedAt = SYSUTCDATETIME()
  WHERE OrderID = (SELECT MIN(OrderID) FROM dbo.Orders WHERE Status = 'new');

  IF (SELECT COUNT(*) FROM dbo.Orders) > 100
    DELETE FROM dbo.Orders WHERE OrderID = (SELECT MIN(OrderID) FROM dbo.Orders);

  WAITFOR DELAY '00:00:00.500';
END;
GO
