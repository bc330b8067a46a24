-- Messages below a completion that arrived after it. Only a first arrival counts: a copy of an older message may come
-- back at any time. A serial whose record was set aside has arrived before: mended and loaded, it is no sign either.
-- Looked for among the messages loaded since a time, and among all of clients whose completion was.
WITH
    wanted AS
    (
        SELECT client FROM format(CSV, 'client UUID', @clients)
    ),
    completed AS
    (
        SELECT client_id, completion_floor, completion_time
        FROM client_floors
        WHERE client_id BETWEEN toUUID(@from) AND toUUID(@to) AND (@all = '1' OR client_id IN (wanted))
            AND completion_floor > 0
    ),
    suspects AS
    (
        SELECT m.client_id, m.serial
        FROM state_messages AS m
        INNER JOIN completed AS c ON c.client_id = m.client_id
        WHERE m.client_id BETWEEN toUUID(@from) AND toUUID(@to) AND (@all = '1' OR m.client_id IN (wanted))
            AND m.serial > 0
            AND m.serial < c.completion_floor AND m.received_time > c.completion_time
            AND (m.loaded_time >= toDateTime64(@since, 3, 'UTC') OR m.client_id IN
            (
                SELECT client_id
                FROM completions_data
                WHERE client_id BETWEEN toUUID(@from) AND toUUID(@to) AND (@all = '1' OR client_id IN (wanted))
                    AND completions_data.loaded_time >= toDateTime64(@since, 3, 'UTC')
            ))
    )
SELECT m.client_id AS client_id, m.serial AS serial, m.first_received AS received_time
FROM
(
    SELECT client_id, serial, payload_hash, min(state_messages.received_time) AS first_received
    FROM state_messages
    WHERE client_id BETWEEN toUUID(@from) AND toUUID(@to) AND (@all = '1' OR client_id IN (wanted))
        AND (client_id, serial) IN (suspects)
    GROUP BY client_id, serial, payload_hash
) AS m
INNER JOIN completed AS c ON c.client_id = m.client_id
WHERE m.first_received > c.completion_time AND (m.client_id, m.serial) NOT IN
(
    SELECT client_id, assumeNotNull(serial)
    FROM set_aside_records
    WHERE client_id BETWEEN toUUID(@from) AND toUUID(@to) AND (@all = '1' OR client_id IN (wanted)) AND serial > 0
)
AND (m.client_id, m.serial, m.first_received) NOT IN
(
    SELECT client_id, serial, received_time
    FROM serial_conflicts
    WHERE client_id BETWEEN toUUID(@from) AND toUUID(@to) AND (@all = '1' OR client_id IN (wanted))
        AND kind = 'below_completion'
)
