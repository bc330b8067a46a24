-- The serial to continue from, the greatest seen or claimed and one, and the latest resync, of these clients, or of all
-- that are not retired when none is named. A client that is not in the answer has never reported and never asked for its policy.
SELECT client_id, greatest(max(seen), max(claimed)) + 1 AS next_serial, max(asked.number) AS number,
    max(asked.issued_time) AS issued_time
FROM
(
    SELECT client_id, CAST(client_stats_data.last_serial, 'UInt64') AS seen, toUInt64(0) AS claimed
    FROM client_stats_data
    WHERE empty({clients:Array(UUID)}) AND client_id NOT IN (SELECT client_id FROM retired_clients)
        OR client_id IN ({clients:Array(UUID)})
    UNION ALL
    SELECT client_id, toUInt64(0) AS seen, CAST(client_claims.last_serial, 'UInt64') AS claimed
    FROM client_claims
    WHERE empty({clients:Array(UUID)}) AND client_id NOT IN (SELECT client_id FROM retired_clients)
        OR client_id IN ({clients:Array(UUID)})
) AS heard
LEFT JOIN
(
    SELECT client_id, max(resyncs.number) AS number, argMax(resyncs.issued_time, resyncs.number) AS issued_time
    FROM resyncs FINAL
    WHERE empty({clients:Array(UUID)}) OR client_id IN ({clients:Array(UUID)})
    GROUP BY client_id
) AS asked ON asked.client_id = heard.client_id
GROUP BY client_id
