-- The subjects that a collection is the target of, with how many members it has; NULL where there is no such collection.
SELECT s.kind, s.topic_type, s.topic_id, s.title, s.target, if(c.name = '', NULL, toNullable(m.members)) AS members
FROM (SELECT kind, topic_type, topic_id, title, target FROM subjects WHERE target != '') AS s
LEFT JOIN (SELECT name FROM collections FINAL WHERE deleted = 0) AS c ON c.name = s.target
LEFT JOIN (SELECT name, uniqExact(client_id) AS members FROM collection_members GROUP BY name) AS m ON m.name = s.target
ORDER BY s.target, s.title, s.kind, s.topic_id
