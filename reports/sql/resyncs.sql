-- title: Resyncs
-- group: Completeness
-- description: Clients that were asked to send everything again, and how far they got, the longest wait first: issued, picked up by the
--   client with its policy, answering (something of the answer has arrived), completed; or accepted, when a person accepted since what the
--   site holds, so that nobody waits for the answer.
-- param client String = '': Client id (with or without GUID:) or computer name; empty takes all
-- param step String = 'outstanding' in outstanding, issued, picked up, answering, completed, accepted, any: Only resyncs that got this far; outstanding are all that still owe their answer
-- param days UInt32 = 90 in 1..3650: Only resyncs issued within so many days
-- order: issued DateTime64(6,'UTC'), client_id UUID, number UInt32
-- note step: how far the resync got; a newer one of the same client stands for an older one that was not completed
-- note waiting_hours: from issue to completion, or until now
-- note last_completed: when the client last said that it had sent everything again, asked or not
-- note answering: when the first message of the answer arrived
-- link netbios_name: /clients/{client_id}
-- link client_id: client-states?client={client_id}
-- with: wanted, answered
WITH
    asked AS
    (
        SELECT client_id, number, issued_time, reason, issued_by, next_serial
        FROM resyncs FINAL
        WHERE issued_time >= now64(6, 'UTC') - toIntervalDay({days:UInt32})
          AND ({client:String} = '' OR client_id IN (SELECT arrayJoin(wanted_ids)))
    ),
    latest AS (SELECT client_id, max(number) AS newest FROM asked GROUP BY client_id),
    stepped AS
    (
        SELECT
            asked.client_id AS client_id,
            asked.number AS number,
            asked.issued_time AS issued,
            asked.reason AS reason,
            asked.issued_by AS issued_by,
            asked.next_serial AS next_serial,
            nullIf(picked.picked_up_time, toDateTime64(0, 6, 'UTC')) AS picked_up,
            nullIf(arrayFirst(t -> t.1 > issued OR t.2 >= asked.next_serial, completed.times).1, toDateTime64(0, 6, 'UTC')) AS done,
            done IS NULL AND accepted.time >= issued AS needless
        FROM asked
        INNER JOIN latest ON latest.client_id = asked.client_id
        LEFT JOIN picked ON picked.client_id = asked.client_id AND picked.number = asked.number
        LEFT JOIN completed ON completed.client_id = asked.client_id
        LEFT JOIN accepted ON accepted.client_id = asked.client_id
        WHERE asked.number = latest.newest OR notEmpty(arrayFilter(t -> t.1 > asked.issued_time OR t.2 >= asked.next_serial, completed.times)) OR {step:String} = 'any'
    ),
    answers AS
    (
        SELECT m.client_id AS client_id, w.number AS number, min(m.received_time) AS first
        FROM
        (
            SELECT client_id, serial, received_time FROM state_messages
            WHERE serial > 0 AND client_id IN (SELECT client_id FROM stepped WHERE picked_up IS NOT NULL AND done IS NULL)
        ) AS m
        INNER JOIN (SELECT client_id, number, next_serial, picked_up FROM stepped WHERE picked_up IS NOT NULL AND done IS NULL) AS w ON w.client_id = m.client_id
        WHERE m.serial >= w.next_serial AND m.received_time >= w.picked_up
        GROUP BY client_id, number
    ),
    page AS
    (
        SELECT
            s.client_id AS client_id, s.number AS number, s.issued AS issued, s.reason AS reason, s.issued_by AS issued_by,
            s.picked_up AS picked_up, nullIf(a.first, toDateTime64(0, 6, 'UTC')) AS answering, s.done AS done,
            multiIf(done IS NOT NULL, 'completed', s.needless, 'accepted', answering IS NOT NULL, 'answering', picked_up IS NOT NULL, 'picked up', 'issued') AS step
        FROM stepped AS s
        LEFT JOIN answers AS a ON a.client_id = s.client_id AND a.number = s.number
        WHERE ({step:String} = 'any' OR step = {step:String} OR {step:String} = 'outstanding' AND step NOT IN ('completed', 'accepted'))
          AND ({after:UInt8} = 0 OR (issued, client_id, number) > ({after_issued:DateTime64(6,'UTC')}, {after_client_id:UUID}, {after_number:UInt32}))
        ORDER BY issued, client_id, number
        LIMIT {page_rows:UInt64}
    ),
    (SELECT groupUniqArray(client_id) FROM page) AS page_ids
SELECT
    c.netbios_name AS netbios_name,
    page.number AS number,
    page.step AS step,
    page.reason AS reason,
    page.issued_by AS issued_by,
    page.issued AS issued,
    page.picked_up AS picked_up,
    page.answering AS answering,
    page.done AS completed,
    round(greatest(dateDiff('second', page.issued, ifNull(page.done, now64(6, 'UTC'))), 0) / 3600, 1) AS waiting_hours,
    l.completed AS last_completed,
    st.seen AS last_serial,
    c.last_report_time AS last_report,
    page.client_id AS client_id
FROM page
LEFT JOIN (SELECT client_id, netbios_name, toNullable(clients.last_report_time) AS last_report_time FROM clients WHERE client_id IN (SELECT arrayJoin(page_ids))) AS c ON c.client_id = page.client_id
LEFT JOIN
(
    SELECT client_id, toNullable(max(received_time)) AS completed FROM completions_data FINAL WHERE client_id IN (SELECT arrayJoin(page_ids)) GROUP BY client_id
) AS l ON l.client_id = page.client_id
LEFT JOIN
(
    SELECT client_id, max(client_stats_data.last_serial) AS seen FROM client_stats_data WHERE client_id IN (SELECT arrayJoin(page_ids)) GROUP BY client_id
) AS st ON st.client_id = page.client_id
ORDER BY issued, client_id, number
