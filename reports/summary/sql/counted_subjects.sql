-- Every subject that has counts, with its topic types and how many states are held of it: of kind other those of whose
-- type a state has a class.
SELECT s.kind, s.topic_id, s.topic_type, s.target, toUnixTimestamp64Micro(s.first_seen) AS seen, t.types, t.held
FROM subjects AS s
LEFT JOIN
(
    SELECT kind, topic_id, if(kind = 'other', topic_type, 0) AS other_type, groupArray(topic_type) AS types,
        sum(n.held) AS held
    FROM subject_types
    LEFT JOIN
    (
        SELECT topic_type, topic_id, arraySum(subject_now.clients) AS held
        FROM subject_now FINAL
    ) AS n ON n.topic_type = subject_types.topic_type AND n.topic_id = subject_types.topic_id
    GROUP BY kind, topic_id, other_type
) AS t ON t.kind = s.kind AND t.topic_id = s.topic_id AND t.other_type = if(s.kind = 'other', s.topic_type, 0)
WHERE s.kind != 'other' OR s.topic_type IN (SELECT topic_type FROM classes)
ORDER BY s.kind, if(s.kind = 'other', s.topic_type, 0), s.target, s.topic_id
