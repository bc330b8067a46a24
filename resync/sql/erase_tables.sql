-- The tables in which a row is of one client. What goes by the state of a client is the last: until then it is marked.
SELECT c.table
FROM system.columns AS c
INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
WHERE c.database = currentDatabase() AND c.name = 'client_id' AND t.engine LIKE '%MergeTree'
ORDER BY c.table = 'client_retirements', c.table
