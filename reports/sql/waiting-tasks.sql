-- title: Clients whose tasks wait
-- group: Tasks
-- columns: netbios_name!, name!, step!, since, is, pushes, not_after, task_id, client_id, task_guid
-- empty: no client waits for a task
-- description: Clients that have not come to an end of a task, with what each waits for; those that wait longest first.
-- param client String = '': Client id (with or without GUID:) or computer name; empty takes all
-- param is String = '' in '', online, offline: Only clients that are connected, or only those that are not
-- order: since DateTime64(6,'UTC'), client_id UUID, task_guid UUID
-- note step: queued = it was not written to the client yet; pushed = written, and the client has not said that it has it
-- note since: of the step
-- note not_after: the client begins the task no later
-- link netbios_name: /clients/{client_id}
-- link task_id: task-steps?task={task_guid}
-- with: wanted, named
WITH
    online AS (SELECT client_id FROM client_presence FINAL WHERE online_status = 1),
    page AS
    (
        SELECT task_guid, client_id, task_id, step, step_time AS since, push_count, not_after,
            client_id IN (SELECT client_id FROM online) AS connected
        FROM task_steps FINAL
        WHERE task_guid IN (SELECT task_guid FROM tasks FINAL WHERE open = 1)
          AND unsolicited = 0 AND step IN ('queued', 'pushed', 'received', 'running')
          AND client_id NOT IN (SELECT client_id FROM retired_clients)
          AND ({client:String} = '' OR client_id IN (SELECT arrayJoin(wanted_ids)))
          AND ({is:String} = '' OR connected = ({is:String} = 'online'))
          AND ({after:UInt8} = 0 OR (since, client_id, task_guid) > ({after_since:DateTime64(6,'UTC')},
               {after_client_id:UUID}, {after_task_guid:UUID}))
        ORDER BY since, client_id, task_guid
        LIMIT {page_rows:UInt64}
    ),
    (SELECT groupUniqArray(client_id) FROM page) AS page_ids
SELECT
    c.netbios_name AS netbios_name,
    page.task_id AS task_id,
    t.name AS name,
    CAST(page.step, 'String') AS step,
    page.since AS since,
    if(page.connected, 'online', 'offline') AS is,
    page.push_count AS pushes,
    page.not_after AS not_after,
    page.client_id AS client_id,
    page.task_guid AS task_guid
FROM page
LEFT JOIN (SELECT client_id, netbios_name FROM named) AS c ON c.client_id = page.client_id
LEFT JOIN (SELECT task_guid, name FROM tasks FINAL) AS t ON t.task_guid = page.task_guid
ORDER BY since, client_id, task_guid
