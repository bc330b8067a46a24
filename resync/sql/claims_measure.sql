-- What the claims of some clients are measured by: the greatest serial received, or claimed and accepted by a person.
SELECT client_id, max(m.last_serial) AS greatest
FROM
(
    SELECT client_id, CAST(client_stats_data.last_serial, 'UInt64') AS last_serial
    FROM client_stats_data
    WHERE client_id IN ({clients:Array(UUID)})
    UNION ALL
    SELECT client_id, accepted_claims.last_serial
    FROM accepted_claims
    WHERE client_id IN ({clients:Array(UUID)})
) AS m
GROUP BY client_id
