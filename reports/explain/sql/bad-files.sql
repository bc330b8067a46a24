-- Files that could not be read at all, set aside since the last stored message of one client before a serial arrived
-- and until it was seen missing: such a file does not say whose reports it held.
SELECT count() AS files, argMax(name, set_aside_time) AS latest, argMax(reason, set_aside_time) AS why,
    max(set_aside_time) AS time,
    -- whether there is such a message
    (SELECT count() FROM (SELECT 1 FROM state_messages WHERE client_id = {client:UUID} AND serial > 0
        AND serial < {serial:UInt64} LIMIT 1)) AS before
FROM bad_files FINAL
WHERE set_aside_time >=
(
    SELECT max(received_time) FROM
    (
        SELECT received_time FROM state_messages
        WHERE client_id = {client:UUID} AND serial > 0 AND serial < {serial:UInt64} ORDER BY serial DESC LIMIT 1
    )
)
  AND set_aside_time <= {until:DateTime64(6,'UTC')}
