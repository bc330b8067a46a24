-- The collections, or the one of a name, with the number of clients in a list.
SELECT c.name, c.revision, CAST(c.kind, 'String') AS kind, c.query, c.changed_time, m.clients
FROM (SELECT name, revision, kind, query, changed_time FROM collections FINAL WHERE deleted = 0
    AND ({name:String} = '' OR name = {name:String})) AS c
LEFT JOIN
(
    SELECT name, revision, uniqExact(client_id) AS clients
    FROM collection_clients
    WHERE ({name:String} = '' OR name = {name:String})
      AND client_id NOT IN (SELECT client_id FROM retired_clients)
    GROUP BY name, revision
) AS m ON m.name = c.name AND m.revision = c.revision
ORDER BY c.name
