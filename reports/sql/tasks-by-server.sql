-- title: Tasks by notification server
-- group: Tasks
-- columns: server!, clients!, succeeded, failed, open, refused, other, median_seconds, pushes, server_id
-- empty: no task was pushed
-- description: What the clients of each notification server made of their tasks, by the server that last told of them,
--   and how long a client took to have one.
-- param days UInt32 = 7 in 1..100000: Steps of so many days
-- note open: pushed, received or running: they have come to no end
-- note pushes: how often a task was written to a client
-- note median_seconds: from the creation of the task until the client had it, whether it was connected or not
SELECT
    if(s.server_name = '', concat('server ', toString(n.server_id)), s.server_name) AS server,
    n.clients AS clients,
    n.open AS open,
    n.succeeded AS succeeded,
    n.failed AS failed,
    n.refused AS refused,
    n.other AS other,
    n.pushes AS pushes,
    n.median_seconds AS median_seconds,
    n.server_id AS server_id
FROM
(
    SELECT
        server_id,
        uniqExact(client_id) AS clients,
        countIf(step IN ('queued', 'pushed', 'received', 'running')) AS open,
        countIf(step = 'succeeded') AS succeeded,
        countIf(step = 'failed') AS failed,
        countIf(step = 'refused') AS refused,
        countIf(step IN ('expired', 'cancelled', 'unknown')) AS other,
        sum(push_count) AS pushes,
        round(quantileExactIf(0.5)(dateDiff('millisecond', t.created_time, p.received_time),
            toUnixTimestamp(p.received_time) > 0) / 1000, 3) AS median_seconds
    FROM
    (
        SELECT server_id, client_id, task_guid, CAST(task_steps.step, 'String') AS step, push_count, received_time
        FROM task_steps FINAL
        WHERE unsolicited = 0 AND server_id > 0 AND step_time >= now64(6, 'UTC') - toIntervalDay({days:UInt32})
          AND client_id NOT IN (SELECT client_id FROM retired_clients)
    ) AS p
    LEFT JOIN (SELECT task_guid, created_time FROM tasks FINAL) AS t ON t.task_guid = p.task_guid
    GROUP BY server_id
) AS n
LEFT JOIN (SELECT server_id, server_name FROM notification_servers FINAL) AS s ON s.server_id = n.server_id
ORDER BY server, server_id
