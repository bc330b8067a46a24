-- Resyncs issued since {since}, latest first, with the moments of their steps; 1970 where a step has not happened.
SELECT
    r.client_id,
    n.netbios_name,
    r.number,
    r.reason,
    r.issued_by,
    r.next_serial,
    r.issued_time,
    r.step,
    r.picked_up_time,
    r.answering_time,
    r.completed_time,
    r.expired_time
FROM
(
    SELECT client_id, number, reason, issued_by, next_serial, issued_time, step, picked_up_time, answering_time,
        completed_time, expired_time
    FROM resync_outcomes
    WHERE issued_time > {since:DateTime64(6, 'UTC')}
      AND ({client:String} = '' OR client_id = toUUIDOrZero({client:String}))
    ORDER BY issued_time DESC, client_id, number DESC
    LIMIT {limit:UInt64}
) AS r
LEFT JOIN (SELECT client_id, netbios_name FROM clients
    WHERE client_id IN (SELECT client_id FROM resyncs)) AS n ON n.client_id = r.client_id
ORDER BY r.issued_time DESC, r.client_id, r.number DESC
