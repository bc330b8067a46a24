-- title: How far each client is with a task
-- group: Tasks
-- columns: netbios_name!, step!, step_time, reason, detail, exit_code, server, late, output, started, finished,
--   pushes, received, asked, pushed, output_bytes, task_id, client_id
-- empty: no client has a step in such a task
-- description: The clients of one client operation, each with its step and the times of it, the latest step first.
--   `statewire tasks show` says the same of the notification manager itself, and has the whole output.
-- param task String: Number or GUID of the task, as in client-operations
-- param step String = '' in '', queued, pushed, received, running, succeeded, failed, refused, expired, cancelled, unknown: Only clients at this step
-- order: step_time DateTime64(6,'UTC') desc, client_id UUID
-- note step: expired, cancelled and unknown are the site's word: it waits no longer
-- note reason: why it waits, was refused or failed
-- note late: the result came when the site waited no longer, and the client counts as what it was before
-- note asked: no = nobody asked this client, and it answered all the same
-- note pushes: how often the task was written to the client
-- note started: by the client's clock, as finished
-- note output: the beginning of it
-- link netbios_name: /clients/{client_id}
-- link client_id: client-states?client={client_id}
-- with: named
WITH
    (
        SELECT groupArray(task_guid) FROM tasks FINAL
        WHERE toString(task_id) = {task:String} OR task_guid = toUUIDOrZero({task:String})
    ) AS guids,
    page AS
    (
        SELECT *
        FROM task_steps FINAL
        WHERE (task_guid IN (SELECT arrayJoin(guids)) OR task_guid = toUUIDOrZero({task:String}))
          AND ({step:String} = '' OR task_steps.step = {step:String})
          AND ({after:UInt8} = 0 OR step_time < {after_step_time:DateTime64(6,'UTC')}
               OR step_time = {after_step_time:DateTime64(6,'UTC')} AND client_id > {after_client_id:UUID})
        ORDER BY step_time DESC, client_id
        LIMIT {page_rows:UInt64}
    ),
    (SELECT groupArray(client_id) FROM page) AS page_ids
SELECT
    c.netbios_name AS netbios_name,
    CAST(page.step, 'String') AS step,
    page.step_time AS step_time,
    page.reason AS reason,
    page.detail AS detail,
    page.exit_code AS exit_code,
    if(page.late = 1, 'yes', 'no') AS late,
    if(page.unsolicited = 1, 'no', 'yes') AS asked,
    s.server_name AS server,
    page.push_count AS pushes,
    nullIf(page.pushed_time, toDateTime64(0, 6, 'UTC')) AS pushed,
    nullIf(page.received_time, toDateTime64(0, 6, 'UTC')) AS received,
    nullIf(page.started_time, toDateTime64(0, 6, 'UTC')) AS started,
    nullIf(page.finished_time, toDateTime64(0, 6, 'UTC')) AS finished,
    substringUTF8(page.output, 1, 200) AS output,
    page.output_size AS output_bytes,
    page.task_id AS task_id,
    page.client_id AS client_id
FROM page
LEFT JOIN (SELECT client_id, netbios_name FROM named) AS c ON c.client_id = page.client_id
LEFT JOIN (SELECT server_id, server_name FROM notification_servers FINAL) AS s ON s.server_id = page.server_id
ORDER BY step_time DESC, client_id
