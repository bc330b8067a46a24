-- Collections, kept as lists, whose policy pauses a topic type for one client.
SELECT p.collection AS collection, p.changed_time AS since
FROM policies AS p FINAL
INNER JOIN (SELECT name, revision FROM collections FINAL WHERE deleted = 0) AS c ON c.name = p.collection
INNER JOIN (SELECT name, revision FROM collection_clients FINAL WHERE client_id = {client:UUID}) AS m
    ON m.name = c.name AND m.revision = c.revision
WHERE p.deleted = 0
  AND arrayExists((kind, paused) -> kind = {type:UInt32} AND paused = 1, p.topic_types, p.topic_paused)
ORDER BY p.priority DESC, p.collection
LIMIT 1
