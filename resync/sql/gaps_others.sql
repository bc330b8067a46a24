-- Clients to look at though their serials may have arrived without a break: something is open of them, or they claimed more than
-- arrived.
WITH changed AS
(
    SELECT client_id FROM client_stats_data WHERE client_stats_data.loaded_time >= {since:DateTime64(3, 'UTC')}
    UNION ALL
    SELECT client_id FROM client_claims WHERE client_claims.loaded_time >= {since:DateTime64(3, 'UTC')}
    UNION ALL
    SELECT client_id FROM baselines WHERE baselines.loaded_time >= {since:DateTime64(3, 'UTC')}
)
SELECT DISTINCT client_id
FROM missing_ranges FINAL
WHERE closed = 0 AND ({full:UInt8} OR client_id IN (changed))
UNION DISTINCT
SELECT c.client_id
FROM
(
    SELECT client_id, max(client_claims.last_serial) AS last_serial
    FROM client_claims
    WHERE {full:UInt8} OR client_id IN (changed)
    GROUP BY client_id
) AS c
LEFT JOIN
(
    SELECT client_id, max(client_stats_data.last_serial) AS last_serial
    FROM client_stats_data
    WHERE {full:UInt8} OR client_id IN (changed)
    GROUP BY client_id
) AS s ON s.client_id = c.client_id
WHERE c.last_serial > s.last_serial
