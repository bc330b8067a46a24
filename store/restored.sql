-- How far the clients of a restored store are: how many there are, how many have a gap of what came since the copy was made,
-- how many that lived were not heard of since, and how many of those that were did not get a baseline; whether a gap check has run.
SELECT
    count() AS clients,
    countIf(gap) AS gaps,
    countIf(NOT heard AND NOT accepted AND lived) AS unheard,
    countIf(heard AND NOT accepted) AS unaccepted,
    (SELECT max(checked_time) FROM resync_clock) > {restored:DateTime64(6, 'UTC')} AS checked
FROM
(
    SELECT
        r.client_id,
        g.gap = 1 AS gap,
        s.time > {restored:DateTime64(6, 'UTC')} OR c.time > {restored:DateTime64(6, 'UTC')} AS heard,
        b.time > {restored:DateTime64(6, 'UTC')} AS accepted,
        r.last_report_time > {copied:DateTime64(6, 'UTC')} - INTERVAL 30 DAY AND {now:DateTime64(6, 'UTC')} < {restored:DateTime64(6, 'UTC')} + INTERVAL 30 DAY AS lived
    FROM (SELECT client_id, last_serial, last_report_time FROM restored_clients FINAL
        WHERE client_id NOT IN (SELECT client_id FROM retired_clients)) AS r
    LEFT JOIN (SELECT client_id, max(client_stats_data.last_report_time) AS time FROM client_stats_data GROUP BY client_id) AS s
        ON s.client_id = r.client_id
    LEFT JOIN (SELECT client_id, max(client_claims.claimed_time) AS time FROM client_claims GROUP BY client_id) AS c
        ON c.client_id = r.client_id
    LEFT JOIN (SELECT client_id, max(baselines.accepted_time) AS time FROM baselines GROUP BY client_id) AS b
        ON b.client_id = r.client_id
    LEFT JOIN
    (
        -- The lowest range found above what the copy knew is what came in between; what remains of it keeps its time.
        SELECT
            m.client_id AS client_id,
            argMin(m.detected_time, (m.first_serial, m.detected_time)) AS found,
            has(groupArrayIf(m.detected_time, m.closed = 0), found) AS gap
        FROM (SELECT client_id, first_serial, last_serial, detected_time, checked_time, closed FROM missing_ranges FINAL) AS m
        INNER JOIN (SELECT client_id, last_serial FROM restored_clients FINAL) AS k ON k.client_id = m.client_id
        WHERE m.checked_time >= {restored:DateTime64(6, 'UTC')} AND m.last_serial > k.last_serial
        GROUP BY m.client_id
    ) AS g ON g.client_id = r.client_id
)
