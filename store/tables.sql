-- Every table's definition, and the number of the newest mutation it was given: older parts may have lost rows to it.
SELECT t.name, t.create_table_query, m.number
FROM system.tables AS t
LEFT JOIN
(
    SELECT table, max(arrayMax(block_numbers.number)) AS number
    FROM system.mutations
    WHERE database = currentDatabase() AND notEmpty(block_numbers.number)
    GROUP BY table
) AS m ON m.table = t.name
WHERE t.database = currentDatabase() AND t.engine LIKE '%MergeTree'
