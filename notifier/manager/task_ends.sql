-- Ends a task that nobody knows any more, with the totals of its steps.
INSERT INTO tasks (task_guid, task_id, task_type, name, pack, pack_version, class, param_names, param_values, target, actor,
    approver, reason, state, state_reason, lasting, rate, spread_seconds, created_time, not_after, open, targets, succeeded,
    failed, refused, expired, cancelled, unknown, late, unsolicited, updated_time, version)
SELECT t.task_guid, t.task_id, t.task_type, t.name, t.pack, t.pack_version, t.class, t.param_names, t.param_values, t.target,
    t.actor, t.approver, t.reason, 'ended', 'state_lost', t.lasting, t.rate, t.spread_seconds, t.created_time, t.not_after, 0,
    c.targets, c.succeeded, c.failed, c.refused, c.expired, c.cancelled,
    c.unknown + c.queued + c.offline + c.pushed + c.received + c.running, c.late, c.unsolicited, now64(6, 'UTC'),
    t.version + 1
FROM (SELECT * FROM tasks FINAL WHERE task_guid = {task:UUID}) AS t
INNER JOIN task_counts AS c ON c.task_guid = t.task_guid
