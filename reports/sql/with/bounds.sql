-- The first and the last serial that count of each client with a row in gaps, which the query itself says.
    bounds AS
    (
        SELECT client_id, max(b.greatest) AS high, greatest(max(b.floor), 1) AS low
        FROM
        (
            SELECT client_id, client_stats_data.last_serial AS greatest, toUInt64(0) AS floor FROM client_stats_data
                WHERE client_id IN (SELECT client_id FROM gaps)
            UNION ALL
            SELECT client_id, client_claims.last_serial AS greatest, toUInt64(0) AS floor FROM client_claims
                WHERE client_id IN (SELECT client_id FROM gaps)
            UNION ALL
            SELECT client_id, toUInt64(0) AS greatest, client_floors.floor AS floor FROM client_floors
                WHERE client_id IN (SELECT client_id FROM gaps)
        ) AS b
        GROUP BY client_id
    ),
