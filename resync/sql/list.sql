-- Resyncs issued since {since}, latest first, with the moments of their steps; 1970 where a step has not happened. What comes before the
-- client has the request is no answer, although it continues from the same serial.
WITH chosen AS
(
    SELECT client_id, number, issued_time, CAST(resyncs.reason, 'String') AS why, issued_by, next_serial
    FROM resyncs FINAL
    WHERE issued_time > {since:DateTime64(6, 'UTC')}
      AND ({client:String} = '' OR client_id = toUUIDOrZero({client:String}))
    ORDER BY issued_time DESC, client_id, number DESC
    LIMIT {limit:UInt64}
)
SELECT
    r.client_id,
    n.netbios_name,
    r.number,
    r.why,
    r.issued_by,
    r.next_serial,
    r.issued_time,
    l.last_number > r.number AS replaced,
    p.picked_up_time AS picked_up,
    arrayMin(arrayConcat([toDateTime64('2299-01-01', 6, 'UTC')],
        arrayMap(x -> x.1, arrayFilter(x -> toUnixTimestamp64Micro(p.picked_up_time) > 0 AND x.2 >= r.next_serial AND x.1 > p.picked_up_time, a.arrived)))) AS answering,
    arrayMin(arrayConcat([toDateTime64('2299-01-01', 6, 'UTC')],
        arrayMap(x -> x.1, arrayFilter(x -> x.1 > r.issued_time OR x.2 >= r.next_serial, c.completions)))) AS completed,
    if(b.accepted >= r.issued_time, b.accepted, toDateTime64(0, 6, 'UTC')) AS accepted
FROM chosen AS r
LEFT JOIN
(
    SELECT client_id, max(resyncs.number) AS last_number FROM resyncs WHERE client_id IN (SELECT client_id FROM chosen) GROUP BY client_id
) AS l ON l.client_id = r.client_id
LEFT JOIN
(
    SELECT client_id, number, picked_up_time FROM resync_pickups FINAL WHERE client_id IN (SELECT client_id FROM chosen)
) AS p ON p.client_id = r.client_id AND p.number = r.number
LEFT JOIN
(
    SELECT client_id, groupArray((received_time, last_serial)) AS arrived
    FROM client_reports
    WHERE received_time > {since:DateTime64(6, 'UTC')} AND client_id IN (SELECT client_id FROM chosen)
    GROUP BY client_id
) AS a ON a.client_id = r.client_id
LEFT JOIN
(
    SELECT client_id, groupArray((received_time, serial)) AS completions
    FROM completions_data FINAL
    WHERE client_id IN (SELECT client_id FROM chosen)
    GROUP BY client_id
) AS c ON c.client_id = r.client_id
LEFT JOIN
(
    SELECT client_id, max(baselines.accepted_time) AS accepted FROM baselines WHERE client_id IN (SELECT client_id FROM chosen) GROUP BY client_id
) AS b ON b.client_id = r.client_id
LEFT JOIN
(
    SELECT client_id, netbios_name FROM clients WHERE client_id IN (SELECT client_id FROM chosen)
) AS n ON n.client_id = r.client_id
ORDER BY r.issued_time DESC, r.client_id, r.number DESC
