-- +goose NO TRANSACTION
-- +goose Up
-- The clients of each task by their step. A client that nobody asked counts nowhere but in unsolicited, and a result that
-- came late changes only late. Who is queued and not connected is offline, as SMS_CN_ClientStatus says it.
CREATE VIEW IF NOT EXISTS task_counts AS
SELECT task_guid, targets, queued, offline, pushed, received, running, succeeded, failed, refused, expired, cancelled,
    unknown, late, unsolicited
FROM tasks FINAL
WHERE open = 0
UNION ALL
SELECT t.task_guid AS task_guid, s.targets AS targets, s.queued AS queued, s.offline AS offline, s.pushed AS pushed,
    s.received AS received, s.running AS running, s.succeeded AS succeeded, s.failed AS failed, s.refused AS refused,
    s.expired AS expired, s.cancelled AS cancelled, s.unknown AS unknown, s.late AS late, s.unsolicited AS unsolicited
FROM (SELECT task_guid FROM tasks FINAL WHERE open = 1) AS t
LEFT JOIN
(
    SELECT task_guid,
        toUInt32(countIf(asked)) AS targets,
        toUInt32(countIf(asked AND at = 'queued' AND online)) AS queued,
        toUInt32(countIf(asked AND at = 'queued' AND NOT online)) AS offline,
        toUInt32(countIf(asked AND at = 'pushed')) AS pushed,
        toUInt32(countIf(asked AND at = 'received')) AS received,
        toUInt32(countIf(asked AND at = 'running')) AS running,
        toUInt32(countIf(asked AND at = 'succeeded')) AS succeeded,
        toUInt32(countIf(asked AND at = 'failed')) AS failed,
        toUInt32(countIf(asked AND at = 'refused')) AS refused,
        toUInt32(countIf(asked AND at = 'expired')) AS expired,
        toUInt32(countIf(asked AND at = 'cancelled')) AS cancelled,
        toUInt32(countIf(asked AND at = 'unknown')) AS unknown,
        toUInt32(countIf(asked AND was_late)) AS late,
        toUInt32(countIf(NOT asked)) AS unsolicited
    FROM
    (
        SELECT task_guid, task_steps.unsolicited = 0 AS asked, task_steps.late = 1 AS was_late,
            if(was_late, task_steps.waited, task_steps.step) AS at,
            client_id IN (SELECT client_id FROM client_presence FINAL WHERE online_status = 1) AS online
        FROM task_steps FINAL
        WHERE task_guid IN (SELECT task_guid FROM tasks FINAL WHERE open = 1)
    )
    GROUP BY task_guid
) AS s ON s.task_guid = t.task_guid;
