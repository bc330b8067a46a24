-- Resyncs of one client with the times of their steps, the latest first; a step that has not been reached is 1970. The
-- view leaves the first message that repeats an earlier one out once the resync is completed; for one client it is
-- cheap to find.
WITH asked AS
(
    SELECT number, issued_time, reason, issued_by, next_serial, picked_up_time, answering_time, completed_time,
        expired_time, step
    FROM resync_outcomes
    WHERE client_id = {client:UUID}
    ORDER BY number DESC
    LIMIT 20
)
SELECT
    asked.number AS number,
    any(asked.issued_time) AS issued,
    any(asked.reason) AS reason,
    any(asked.issued_by) AS issued_by,
    any(asked.next_serial) AS next_serial,
    any(asked.picked_up_time) AS picked_up,
    if(any(asked.step) IN ('completed', 'unanswered', 'late'),
        minIf(m.received_time, m.serial >= asked.next_serial AND m.first < asked.next_serial
            AND toUnixTimestamp64Micro(asked.picked_up_time) > 0
            AND m.received_time >= asked.picked_up_time
                AND m.received_time <= if(asked.step = 'unanswered', asked.expired_time, asked.completed_time)),
        any(asked.answering_time)) AS answering,
    any(asked.completed_time) AS completed_time,
    any(asked.expired_time) AS expired_time,
    any(asked.step) AS step
FROM asked
LEFT JOIN
(
    SELECT one, serial, received_time, first
    FROM
    (
        SELECT 1 AS one, serial, received_time, min(serial) OVER (PARTITION BY payload_hash) AS first
        FROM state_messages WHERE client_id = {client:UUID} AND serial > 0
    )
    WHERE serial >= -- of the requests asked about; the view itself would be planned and read once more
        (SELECT min(next_serial) FROM (SELECT next_serial FROM resyncs FINAL WHERE client_id = {client:UUID}
            ORDER BY number DESC LIMIT 20))
) AS m ON m.one = 1
GROUP BY number
ORDER BY number DESC
