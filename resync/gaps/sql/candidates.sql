-- Clients to ask for a resync, in the order in which they are asked.
SELECT
    w.client_id AS client_id,
    transform(w.urgency, [1, 2], ['conflict', 'differs'], 'missing') AS reason,
    w.since AS since,
    greatest(CAST(s.last_serial, 'UInt64'), CAST(c.last_serial, 'UInt64')) + 1 AS next_serial,
    r.number AS number,
    r.issued_time AS issued_time
FROM
(
    SELECT client_id, min(wants.urgency) AS urgency, argMin(wants.since, (wants.urgency, wants.since)) AS since
    FROM
    (
        SELECT client_id, toUInt8(1) AS urgency, min(detected_time) AS since FROM open_conflicts GROUP BY client_id
        UNION ALL
        SELECT client_id, toUInt8(2), detected_time
        FROM differing_clients FINAL
        -- a client that has answered since is not asked again for what was before
        WHERE differs = 1 AND (client_id, toUInt8(1)) NOT IN
        (
            SELECT m.client_id, toUInt8(f.settled_time > m.checked_time)
            FROM differing_clients AS m FINAL
            INNER JOIN client_floors AS f ON f.client_id = m.client_id
            WHERE m.differs = 1 AND f.client_id IN (SELECT client_id FROM differing_clients WHERE differs = 1)
        )
        UNION ALL
        SELECT client_id, toUInt8(3), min(detected_time) AS since
        FROM missing_ranges FINAL
        -- what a completed resync did not close, another won't
        WHERE closed = 0 AND (jump = 0 OR (client_id, first_serial) NOT IN
        (
            SELECT m.client_id, m.first_serial
            FROM missing_ranges AS m FINAL
            INNER JOIN client_floors AS f ON f.client_id = m.client_id
            WHERE m.closed = 0 AND m.jump = 1 AND f.settled_time > m.detected_time
                AND f.client_id IN (SELECT client_id FROM missing_ranges WHERE jump = 1)
        ))
        GROUP BY client_id
        HAVING since <= {missing_before:DateTime64(6, 'UTC')} OR max(detected_time) > {at:DateTime64(6, 'UTC')}
    ) AS wants
    GROUP BY client_id
) AS w
LEFT JOIN
(
    SELECT client_id, max(client_stats_data.last_serial) AS last_serial FROM client_stats_data GROUP BY client_id
) AS s ON s.client_id = w.client_id
LEFT JOIN (SELECT client_id, max(client_claims.last_serial) AS last_serial FROM client_claims GROUP BY client_id) AS c
    ON c.client_id = w.client_id
LEFT JOIN
(
    SELECT client_id, max(resyncs.number) AS number, argMax(resyncs.issued_time, resyncs.number) AS issued_time
    FROM resyncs FINAL
    GROUP BY client_id
) AS r ON r.client_id = w.client_id
WHERE (r.number = 0 OR r.issued_time <= {asked_before:DateTime64(6, 'UTC')} OR r.issued_time > {at:DateTime64(6, 'UTC')})
    AND w.client_id NOT IN (SELECT client_id FROM retired_clients)
ORDER BY w.urgency, w.since, w.client_id
