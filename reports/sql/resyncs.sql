-- title: Resyncs
-- group: Completeness
-- columns: netbios_name!, step!, reason, issued, waiting_hours, issued_by, picked_up, answering, completed,
--   expired, number, last_completed, last_report, last_serial, client_id
-- empty: nobody was asked to send everything again
-- description: Clients that were asked to send everything again, and how far they got, the longest wait first: issued,
--   picked up by the client with its policy, answering (something of the answer has arrived), completed; accepted, when
--   a person accepted since what the site holds, so that nobody waits for the answer; or replaced by the client's next
--   resync before it was completed.
-- param client String = '': Client id (with or without GUID:) or computer name; empty takes all
-- param step String = 'outstanding' in outstanding, issued, picked up, answering, completed, accepted, unanswered, late, replaced, any: Only resyncs that got this far; outstanding are all that still owe their answer
-- param days UInt32 = 90 in 1..3650: Only resyncs issued within so many days
-- order: issued DateTime64(6,'UTC'), client_id UUID, number UInt32
-- note step: how far the resync got; once completed, accepted, unanswered or replaced it stays so, but that an unanswered one may be late
-- note expired: when its time was over without an answer, by the merge interval of then; no later setting changes it
-- note waiting_hours: from issue to completion, or until it expired, or to the resync that replaced it, or until now
-- note last_completed: when the client last said that it had sent everything again, asked or not
-- note answering: when the first message of the answer arrived
-- link netbios_name: /clients/{client_id}
-- link client_id: client-states?client={client_id}
-- with: wanted, named
WITH
    outcomes AS
    (
        SELECT client_id, number, issued_time AS issued, reason, issued_by, step, picked_up_time, answering_time,
            completed_time, expired_time, replaced_time
        FROM resync_outcomes
        WHERE issued_time >= now64(6, 'UTC') - toIntervalDay({days:UInt32})
          AND ({client:String} = '' OR client_id IN (SELECT arrayJoin(wanted_ids)))
          AND ({step:String} = 'any' OR step = {step:String} OR {step:String} = 'outstanding'
              AND step IN ('issued', 'picked up', 'answering'))
          AND ({after:UInt8} = 0 OR (issued, client_id, number) > ({after_issued:DateTime64(6,'UTC')},
              {after_client_id:UUID}, {after_number:UInt32}))
        ORDER BY issued, client_id, number
        LIMIT {page_rows:UInt64}
    ),
    -- They are made once: read as a table, they would be made for their ids and for themselves.
    (
        SELECT groupArray((client_id, number, issued, reason, issued_by, step, picked_up_time, answering_time,
            completed_time, expired_time, replaced_time))
        FROM outcomes
    ) AS made,
    arrayMap(p -> p.1, made) AS page_ids,
    page AS
    (
        SELECT
            arrayJoin(made) AS p, p.1 AS client_id, p.2 AS number, p.3 AS issued, p.4 AS reason, p.5 AS issued_by,
                p.6 AS step,
            nullIf(p.7, toDateTime64(0, 6, 'UTC')) AS picked_up,
            nullIf(p.8, toDateTime64(0, 6, 'UTC')) AS answering,
            nullIf(p.9, toDateTime64(0, 6, 'UTC')) AS done,
            nullIf(p.10, toDateTime64(0, 6, 'UTC')) AS expired,
            coalesce(done, expired, nullIf(p.11, toDateTime64(0, 6, 'UTC')), now64(6, 'UTC')) AS until
    )
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
    page.expired AS expired,
    round(greatest(dateDiff('second', page.issued, page.until), 0) / 3600, 1) AS waiting_hours,
    l.completed AS last_completed,
    st.seen AS last_serial,
    c.last_report_time AS last_report,
    page.client_id AS client_id
FROM page
LEFT JOIN (SELECT client_id, netbios_name, toNullable(named.last_report_time) AS last_report_time FROM named) AS c
    ON c.client_id = page.client_id
LEFT JOIN
(
    SELECT client_id, toNullable(max(received_time)) AS completed FROM completions_data FINAL
        WHERE client_id IN (SELECT arrayJoin(page_ids)) GROUP BY client_id
) AS l ON l.client_id = page.client_id
LEFT JOIN
(
    SELECT client_id, max(client_stats_data.last_serial) AS seen FROM client_stats_data
        WHERE client_id IN (SELECT arrayJoin(page_ids)) GROUP BY client_id
) AS st ON st.client_id = page.client_id
ORDER BY issued, client_id, number
