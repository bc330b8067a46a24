-- Serials under which different messages arrived, among those loaded since a time: the later of them, by its first
-- arrival.
WITH wanted AS
(
    SELECT client FROM format(CSV, 'client UUID', @clients)
)
SELECT client_id, serial, max(first_received) AS received_time
FROM
(
    SELECT client_id, serial, payload_hash, min(state_messages.received_time) AS first_received
    FROM state_messages
    WHERE client_id BETWEEN toUUID(@from) AND toUUID(@to) AND (@all = '1' OR client_id IN (wanted)) AND serial > 0
        AND (@everywhere = '1' OR (client_id, serial) IN
        (
            SELECT client_id, serial
            FROM state_messages
            WHERE client_id BETWEEN toUUID(@from) AND toUUID(@to) AND (@all = '1' OR client_id IN (wanted))
                AND serial > 0
                AND state_messages.loaded_time >= toDateTime64(@since, 3, 'UTC')
        ))
    GROUP BY client_id, serial, payload_hash
)
GROUP BY client_id, serial
HAVING count() > 1 AND (client_id, serial, received_time) NOT IN
(
    SELECT client_id, serial, received_time
    FROM serial_conflicts
    WHERE client_id BETWEEN toUUID(@from) AND toUUID(@to) AND (@all = '1' OR client_id IN (wanted)) AND kind = 'reused'
)
SETTINGS optimize_aggregation_in_order = 1, aggregation_in_order_max_block_bytes = 4000000, max_threads = 1
