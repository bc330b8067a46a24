-- +goose NO TRANSACTION
-- +goose Up
-- A row per client operation. The counts from CompletedClients to UnknownClients add up to TotalClients: completed is
-- delivered, and failed that the client refused. RunFailedClients ran and ended badly, and are among the completed.
-- ActionState is 1 active, 2 taken back, 0 otherwise: over, or not approved yet.
CREATE VIEW IF NOT EXISTS SMS_ClientActionStatus AS
SELECT
    t.task_id AS ClientOperationID,
    t.task_id AS ActionID,
    t.task_type AS ActionType,
    toUInt8(multiIf(t.state = 'active', 1, t.state = 'cancelled', 2, 0)) AS ActionState,
    c.targets AS TotalClients,
    toUInt32(c.received + c.running + c.succeeded + c.failed) AS CompletedClients,
    c.refused AS FailedClients,
    c.offline AS OfflineClients,
    toUInt32(c.queued + c.pushed) AS QueuedClients,
    c.cancelled AS CancelledClients,
    toUInt32(c.unknown + c.expired) AS UnknownClients,
    c.failed AS RunFailedClients,
    c.late AS LateClients,
    t.updated_time AS TimeLastUpdated,
    t.task_guid AS UniqueID,
    t.name AS Name
FROM (SELECT task_guid, task_id, task_type, state, updated_time, name FROM tasks FINAL) AS t
INNER JOIN task_counts AS c ON c.task_guid = t.task_guid;
