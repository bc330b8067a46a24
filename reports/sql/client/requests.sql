-- Resyncs of one client with the times of their steps, the latest first; a step that has not been reached is 1970.
WITH
    (
        SELECT arraySort(groupArray((received_time, serial))) FROM completions_data FINAL WHERE client_id = {client:UUID}
    ) AS completed,
    asked AS
    (
        SELECT r.number AS number, r.issued_time AS issued, r.reason AS reason, r.issued_by AS issued_by, r.next_serial AS next_serial, p.picked_up_time AS picked_up
        FROM resyncs AS r FINAL
        LEFT JOIN (SELECT number, picked_up_time FROM resync_pickups FINAL WHERE client_id = {client:UUID}) AS p ON p.number = r.number
        WHERE r.client_id = {client:UUID}
        ORDER BY number DESC
        LIMIT 20
    )
SELECT
    asked.number AS number,
    any(asked.issued) AS issued,
    any(asked.reason) AS reason,
    any(asked.issued_by) AS issued_by,
    any(asked.next_serial) AS next_serial,
    any(asked.picked_up) AS picked_up,
    minIf(m.received_time, m.serial >= asked.next_serial AND toUnixTimestamp64Micro(asked.picked_up) > 0 AND m.received_time >= asked.picked_up) AS answering,
    arrayFirst(t -> t.1 > any(asked.issued) OR t.2 >= any(asked.next_serial), completed).1 AS completed_time
FROM asked
LEFT JOIN (SELECT 1 AS one, serial, received_time FROM state_messages WHERE client_id = {client:UUID} AND serial >= (SELECT min(next_serial) FROM asked)) AS m
    ON m.one = 1
GROUP BY number
ORDER BY number DESC
