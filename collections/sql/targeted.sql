-- What a collection is the target of, as KIND/ID and its title. An id that nobody told of, and of which no kind was said, may be
-- called an update.
SELECT concat(multiIf(s.kind != '', s.kind, t.kind != '', t.kind, 'update'), '/', t.topic_id) AS subject,
    if(s.title != '', s.title, t.title) AS title
FROM
(
    SELECT topic_id, CAST(max(kind), 'String') AS kind, max(title) AS title
    FROM topic_titles FINAL
    WHERE deleted = 0 AND target = {name:String}
    GROUP BY topic_id
) AS t
LEFT JOIN (SELECT kind, topic_id, title FROM subjects WHERE target = {name:String}) AS s ON s.topic_id = t.topic_id
ORDER BY title, subject
