-- Clients that a person asked a resync of and that have not completed one since, unless they were asked after {retry}:
-- those never asked before those that did not answer, each by the age of the request.
WITH
requests AS
(
    SELECT client_id, requested_time, requested_by, after_number FROM resync_requests FINAL
),
latest AS
(
    SELECT
        client_id,
        max(resyncs.number) AS last_number,
        argMax(resyncs.issued_time, resyncs.number) AS issued,
        argMax(resyncs.next_serial, resyncs.number) AS next,
        min(resyncs.next_serial) AS first_next
    FROM resyncs FINAL
    WHERE client_id IN (SELECT client_id FROM resync_requests)
    GROUP BY client_id
)
SELECT
    q.client_id,
    q.requested_time,
    q.requested_by,
    l.last_number,
    l.issued,
    greatest(s.last_serial, k.last_serial) + 1 AS next_serial
FROM requests AS q
LEFT JOIN latest AS l ON l.client_id = q.client_id
LEFT JOIN
(
    SELECT
        d.client_id AS client_id,
        maxIf(d.received_time, d.serial < f.first_next
            AND d.received_time <= {latest:DateTime64(6, 'UTC')}) AS received,
        max(d.serial) AS serial
    FROM (SELECT client_id, serial, received_time FROM completions_data FINAL
        WHERE client_id IN (SELECT client_id FROM latest)) AS d
    INNER JOIN latest AS f ON f.client_id = d.client_id
    GROUP BY client_id
) AS c ON c.client_id = q.client_id
LEFT JOIN
(
    SELECT client_id, maxIf(baselines.accepted_time,
        baselines.accepted_time <= {latest:DateTime64(6, 'UTC')}) AS accepted
    FROM baselines
    WHERE client_id IN (SELECT client_id FROM resync_requests)
    GROUP BY client_id
) AS b ON b.client_id = q.client_id
LEFT JOIN
(
    SELECT client_id, max(client_stats_data.last_serial) AS last_serial
    FROM client_stats_data
    WHERE client_id IN (SELECT client_id FROM resync_requests)
    GROUP BY client_id
) AS s ON s.client_id = q.client_id
LEFT JOIN
(
    SELECT client_id, max(client_claims.last_serial) AS last_serial
    FROM client_claims
    WHERE client_id IN (SELECT client_id FROM resync_requests)
    GROUP BY client_id
) AS k ON k.client_id = q.client_id
WHERE b.accepted < q.requested_time AND q.client_id NOT IN (SELECT client_id FROM retired_clients)
  AND (l.last_number <= q.after_number
       OR l.issued <= {retry:DateTime64(6, 'UTC')} AND c.received <= l.issued AND c.serial < l.next)
ORDER BY l.last_number > q.after_number, q.requested_time, q.client_id
