-- A client's messages below a serial that were loaded since a time, but mended records: their serials had arrived.
SELECT client_id, serial, min(state_messages.received_time) AS received_time
FROM state_messages
WHERE client_id = {client:UUID} AND serial > 0 AND serial < {dropped:UInt64}
    AND serial NOT IN (SELECT assumeNotNull(serial) FROM set_aside_records WHERE client_id = {client:UUID}
        AND serial > 0)
GROUP BY client_id, serial, payload_hash
HAVING min(state_messages.loaded_time) >= {since:DateTime64(3, 'UTC')} AND (client_id, serial, received_time) NOT IN
(
    SELECT client_id, serial, received_time
    FROM serial_conflicts
    WHERE client_id = {client:UUID} AND kind = 'below_retention'
)
