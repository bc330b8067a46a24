-- Topic types that policies pause for one client, with the collections, kept as lists, whose policies do it.
SELECT arrayStringConcat(arrayMap(k -> toString(k), arraySort(groupUniqArray(kind))), ', ') AS kinds,
    uniqExact(kind) AS count, arrayStringConcat(arraySort(groupUniqArray(collection)), ', ') AS collections,
    max(since) AS since
FROM
(
    SELECT p.collection AS collection, p.changed_time AS since,
        arrayJoin(arrayFilter((kind, paused) -> paused = 1, p.topic_types, p.topic_paused)) AS kind
    FROM policies AS p FINAL
    INNER JOIN (SELECT name, revision FROM collections FINAL WHERE deleted = 0) AS c ON c.name = p.collection
    INNER JOIN (SELECT name, revision FROM collection_clients FINAL WHERE client_id = {client:UUID}) AS m
        ON m.name = c.name AND m.revision = c.revision
    WHERE p.deleted = 0
)
HAVING count() > 0
