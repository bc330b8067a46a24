-- The serials of a client that are stored or set aside, the greatest first.
SELECT DISTINCT serial
FROM
(
    SELECT serial FROM state_messages WHERE client_id = {client:UUID} AND serial > 0
    UNION ALL
    SELECT assumeNotNull(serial) FROM set_aside_records WHERE client_id = {client:UUID} AND serial > 0
)
ORDER BY serial DESC
