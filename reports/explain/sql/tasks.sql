-- The tasks that one client came to an end of, or those that it did not, the latest first.
SELECT
    s.task_id AS task_id, s.step AS step, s.reason AS reason, s.detail AS detail, s.exit_code AS exit_code, s.late AS late,
    s.step_time AS at, s.output AS output, s.not_after AS not_after, t.name AS name, t.actor AS actor, t.state AS state
FROM
(
    SELECT task_guid, task_id, CAST(task_steps.step, 'String') AS step, task_steps.reason AS reason,
        task_steps.detail AS detail, exit_code, late, step_time, substring(task_steps.output, 1, 400) AS output, not_after
    FROM task_steps FINAL
    WHERE client_id = {client:UUID} AND unsolicited = 0
) AS s
LEFT JOIN
(
    SELECT task_guid, name, actor, CAST(tasks.state, 'String') AS state
    FROM tasks FINAL
) AS t ON t.task_guid = s.task_guid
WHERE has(['succeeded', 'failed', 'refused', 'expired', 'cancelled', 'unknown'], s.step) = {ended:Bool}
    AND s.step_time >= {since:DateTime64(6, 'UTC')}
ORDER BY s.step_time DESC, s.task_id DESC
LIMIT {most:UInt32}
