-- The latest gap check, and how many clients owe the answer to a resync issued since a moment.
SELECT
    (SELECT max(time) FROM resync_checks) AS time,
    (
        SELECT count()
        FROM
        (
            SELECT client_id, max(issued_time) AS issued, argMax(next_serial, resyncs.number) AS next,
                max(resyncs.number) AS newest
            FROM resyncs FINAL WHERE issued_time >= {since:DateTime64(6,'UTC')} GROUP BY client_id
        ) AS r
        LEFT JOIN
        (
            SELECT client_id, max(received_time) AS completed, max(completions_data.serial) AS serial
                FROM completions_data FINAL
            WHERE client_id IN (SELECT client_id FROM resyncs) GROUP BY client_id
        ) AS c ON c.client_id = r.client_id
        LEFT JOIN (SELECT client_id, max(baselines.accepted_time) AS accepted FROM baselines GROUP BY client_id) AS b
            ON b.client_id = r.client_id
        LEFT JOIN (SELECT client_id, max(resync_expiries.number) AS number FROM resync_expiries GROUP BY client_id) AS x
            ON x.client_id = r.client_id
        WHERE x.number != r.newest AND r.issued >= c.completed AND r.next > c.serial AND b.accepted < r.issued
    ) AS outstanding
