-- The latest resync of each client that was asked since {since} and has not completed: no resync complete message has a
-- serial of its answer, and no baseline was accepted since. One below the serials of every request, of a counter that
-- went back, counts when it arrived after the request. Times after {latest} were stamped by a clock that was wrong.
-- picked_up says whether the client has been told, expired whether its expiry is written down.
WITH latest AS
(
    SELECT
        client_id,
        max(resyncs.number) AS last_number,
        argMax(resyncs.issued_time, resyncs.number) AS issued,
        argMax(resyncs.reason, resyncs.number) AS why,
        argMax(resyncs.issued_by, resyncs.number) AS who,
        argMax(resyncs.next_serial, resyncs.number) AS next,
        argMax(resyncs.accepted, resyncs.number) AS next_accepted,
        min(resyncs.next_serial) AS first_next
    FROM resyncs FINAL
    WHERE client_id IN (SELECT client_id FROM resyncs WHERE issued_time > {since:DateTime64(6, 'UTC')})
    GROUP BY client_id
    HAVING issued > {since:DateTime64(6, 'UTC')}
)
SELECT l.client_id, l.last_number, l.issued, CAST(l.why, 'String') AS reason, l.who, l.next, l.next_accepted,
    p.number = l.last_number AS picked_up, x.number = l.last_number AS expired
FROM latest AS l
LEFT JOIN
(
    SELECT client_id, max(resync_pickups.number) AS number
    FROM resync_pickups
    WHERE client_id IN (SELECT client_id FROM latest)
    GROUP BY client_id
) AS p ON p.client_id = l.client_id
LEFT JOIN
(
    SELECT client_id, max(resync_expiries.number) AS number
    FROM resync_expiries
    WHERE client_id IN (SELECT client_id FROM latest)
    GROUP BY client_id
) AS x ON x.client_id = l.client_id
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
) AS c ON c.client_id = l.client_id
LEFT JOIN
(
    SELECT client_id, maxIf(baselines.accepted_time,
        baselines.accepted_time <= {latest:DateTime64(6, 'UTC')}) AS accepted
    FROM baselines
    WHERE client_id IN (SELECT client_id FROM latest)
    GROUP BY client_id
) AS b ON b.client_id = l.client_id
WHERE c.received <= l.issued AND c.serial < l.next AND b.accepted < l.issued
