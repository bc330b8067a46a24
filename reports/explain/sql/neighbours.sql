-- The stored messages of one client right before and right after a serial.
SELECT 'before' AS side, serial, received_time, loaded_time, source_file FROM
(
    SELECT serial, received_time, loaded_time, source_file FROM state_messages
    WHERE client_id = {client:UUID} AND serial > 0 AND serial < {serial:UInt64} ORDER BY serial DESC, received_time
        LIMIT 1
)
UNION ALL
SELECT 'after' AS side, serial, received_time, loaded_time, source_file FROM
(
    SELECT serial, received_time, loaded_time, source_file FROM state_messages
    WHERE client_id = {client:UUID} AND serial > {serial:UInt64} ORDER BY serial, received_time LIMIT 1
)
