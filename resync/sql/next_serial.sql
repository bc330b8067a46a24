-- What is stored of clients that enrol, by client or by the hash of one: the greatest serial received, or claimed and
-- believed; the greatest that its claims are measured by; whether there is anything at all; and the greatest that it
-- had when it was erased. A client whose reports held no numbered message is in clients_seen alone.
SELECT key, max(h.greatest) AS greatest, max(h.measure) AS measure, max(h.known) AS known, max(h.floor) AS floor
FROM
(
    SELECT toString(client_id) AS key, CAST(client_stats_data.last_serial, 'UInt64') AS greatest, greatest AS measure,
        toUInt8(1) AS known, toUInt64(0) AS floor
    FROM client_stats_data
    WHERE client_id IN ({clients:Array(UUID)})
    UNION ALL
    SELECT toString(client_id), CAST(client_claims.last_serial, 'UInt64'), toUInt64(0), toUInt8(1), toUInt64(0)
    FROM client_claims
    WHERE client_id IN ({clients:Array(UUID)})
    UNION ALL
    SELECT toString(client_id), accepted_claims.last_serial, accepted_claims.last_serial, toUInt8(1), toUInt64(0)
    FROM accepted_claims
    WHERE client_id IN ({clients:Array(UUID)})
    UNION ALL
    SELECT toString(client_id), toUInt64(0), toUInt64(0), toUInt8(1), toUInt64(0)
    FROM clients_seen
    WHERE client_id IN ({clients:Array(UUID)})
    UNION ALL
    SELECT client_hash, toUInt64(0), toUInt64(0), toUInt8(0), serial_floors.last_serial
    FROM serial_floors
    WHERE client_hash IN ({hashes:Array(String)})
) AS h
GROUP BY key
