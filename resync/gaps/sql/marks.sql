-- The first client of every stretch of the tables with a row per client, in order, and how many rows the stretch has.
-- The trick: mergeTreeIndex reads the primary keys that the engine keeps in memory, and no row of the tables.
SELECT client_id, toUInt64(rows_in_granule)
FROM
(
    SELECT client_id, rows_in_granule FROM mergeTreeIndex(currentDatabase(), 'arrivals')
    UNION ALL
    SELECT client_id, rows_in_granule FROM mergeTreeIndex(currentDatabase(), 'client_claims')
)
ORDER BY client_id
