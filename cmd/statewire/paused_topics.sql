-- The topic types that policies pause, and for which collections.
SELECT topic_type, arraySort(groupUniqArray(collection)) AS collections
FROM
(
    SELECT collection, arrayJoin(arrayFilter((type, paused) -> paused = 1, topic_types, topic_paused)) AS topic_type
    FROM policies FINAL
    WHERE deleted = 0 AND collection IN (SELECT name FROM collections FINAL WHERE deleted = 0)
)
GROUP BY topic_type
ORDER BY topic_type
