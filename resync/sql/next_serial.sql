-- What is stored of a client that enrols: the greatest serial received, or claimed and believed; the greatest that its
-- claims are measured by; whether there is anything at all; and the greatest that it had when it was erased. A client
-- whose reports held no numbered message is in clients_seen alone.
SELECT max(h.greatest) AS greatest, max(h.measure) AS measure, count() > 0 AS known,
    (SELECT max(last_serial) FROM serial_floors WHERE client_hash = {hash:String}) AS floor
FROM
(
    SELECT CAST(client_stats_data.last_serial, 'UInt64') AS greatest, greatest AS measure
    FROM client_stats_data
    WHERE client_id = {client:UUID}
    UNION ALL
    SELECT CAST(client_claims.last_serial, 'UInt64'), toUInt64(0)
    FROM client_claims
    WHERE client_id = {client:UUID}
    UNION ALL
    SELECT accepted_claims.last_serial, accepted_claims.last_serial
    FROM accepted_claims
    WHERE client_id = {client:UUID}
    UNION ALL
    SELECT toUInt64(0), toUInt64(0)
    FROM clients_seen
    WHERE client_id = {client:UUID}
) AS h
