-- The view resync_outcomes in the plain way: joins where the view itself reads every table as seldom as can be.
CREATE VIEW plain_outcomes AS
WITH
    asked AS
    (
        SELECT client_id, number, issued_time, CAST(reason, 'String') AS why, issued_by, next_serial FROM resyncs FINAL
    ),
    ended AS
    (
        SELECT client_id, number, min(received_time) AS completed_time
        FROM
        (
            SELECT
                c.client_id AS client_id, c.serial AS serial, c.received_time AS received_time,
                if(c.serial >= min(a.next_serial), maxIf(a.number, c.serial >= a.next_serial),
                    maxIf(a.number, c.received_time > a.issued_time)) AS number
            FROM (SELECT client_id, serial, received_time FROM completions_data FINAL) AS c
            INNER JOIN asked AS a ON a.client_id = c.client_id
            GROUP BY client_id, serial, received_time
        )
        WHERE number > 0
        GROUP BY client_id, number
    ),
    known AS
    (
        SELECT
            a.client_id AS client_id, a.number AS number, a.issued_time AS issued_time, a.why AS reason,
                a.issued_by AS issued_by,
            a.next_serial AS next_serial, p.picked_up_time AS picked_up_time, n.issued_time AS replaced_time,
            arraySort(arrayFilter(t -> t >= a.issued_time
                AND (n.number = 0 OR t < n.issued_time), b.times))[1] AS accepted,
            e.completed_time AS completed,
            x.expired_time AS expired,
            toUnixTimestamp64Micro(expired) > 0 AND (n.number = 0 OR expired <= n.issued_time) AS expires,
            multiIf(
                toUnixTimestamp64Micro(completed) > 0 AND (NOT expires OR completed <= expired)
                    AND (toUnixTimestamp64Micro(accepted) = 0 OR completed <= accepted), 'completed',
                toUnixTimestamp64Micro(accepted) > 0 AND (NOT expires OR accepted <= expired), 'accepted',
                expires AND toUnixTimestamp64Micro(completed) > 0, 'late',
                expires, 'unanswered',
                n.number > 0, 'replaced',
                toUnixTimestamp64Micro(p.picked_up_time) > 0, 'picked up',
                'issued') AS reached
        FROM asked AS a
        LEFT JOIN (SELECT client_id, number - 1 AS before, number, issued_time FROM asked) AS n
            ON n.client_id = a.client_id AND n.before = a.number
        LEFT JOIN (SELECT client_id, number, picked_up_time FROM resync_pickups FINAL) AS p ON p.client_id = a.client_id
            AND p.number = a.number
        LEFT JOIN (SELECT client_id, number, expired_time FROM resync_expiries FINAL) AS x ON x.client_id = a.client_id
            AND x.number = a.number
        LEFT JOIN ended AS e ON e.client_id = a.client_id AND e.number = a.number
        LEFT JOIN
        (
            SELECT client_id, groupArray(accepted_time) AS times
            FROM (SELECT client_id, accepted_time FROM baseline_times
                UNION ALL SELECT client_id, max(baselines.accepted_time) FROM baselines GROUP BY client_id)
            GROUP BY client_id
        ) AS b ON b.client_id = a.client_id
    ),
    -- An answer repeats what the client sent before: the same message, by its hash, comes again under a serial of the
    -- answer. News that a client sends although it was asked are none.
    again AS
    (
        SELECT m.client_id AS client_id, w.number AS number,
               minIf(m.received_time, m.serial >= w.next_serial AND m.received_time >= w.picked_up_time) AS came
        FROM
        (
            SELECT client_id, serial, received_time, payload_hash FROM state_messages
            WHERE serial > 0 AND client_id IN (SELECT client_id FROM known WHERE reached = 'picked up')
        ) AS m
        INNER JOIN (SELECT client_id, number, next_serial, picked_up_time FROM known WHERE reached = 'picked up') AS w
            ON w.client_id = m.client_id
        GROUP BY client_id, number, m.payload_hash
        HAVING countIf(m.serial < w.next_serial) > 0
            AND countIf(m.serial >= w.next_serial AND m.received_time >= w.picked_up_time) > 0
    ),
    answers AS (SELECT client_id, number, min(came) AS answering_time FROM again GROUP BY client_id, number)
SELECT
    k.client_id AS client_id,
    k.number AS number,
    k.issued_time AS issued_time,
    k.reason AS reason,
    k.issued_by AS issued_by,
    k.next_serial AS next_serial,
    k.picked_up_time AS picked_up_time,
    w.answering_time AS answering_time,
    if(k.reached IN ('completed', 'late'), k.completed, toDateTime64(0, 6, 'UTC')) AS completed_time,
    if(k.reached = 'accepted', k.accepted, toDateTime64(0, 6, 'UTC')) AS accepted_time,
    if(k.reached = 'replaced', k.replaced_time, toDateTime64(0, 6, 'UTC')) AS replaced_time,
    if(k.reached IN ('unanswered', 'late'), k.expired, toDateTime64(0, 6, 'UTC')) AS expired_time,
    if(toUnixTimestamp64Micro(w.answering_time) > 0, 'answering', k.reached) AS step
FROM known AS k
LEFT JOIN answers AS w ON w.client_id = k.client_id AND w.number = k.number
