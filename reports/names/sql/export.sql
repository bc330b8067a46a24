-- Every subject with what persons said of it: first those without a title of their own, by how many machines they concern.
-- A title that an id says itself is none of a person's, and is left to the id.
WITH
    concerned AS
    (
        SELECT topic_type, topic_id, sum(subject_states.clients) AS machines
        FROM subject_states
        GROUP BY topic_type, topic_id
    ),
    subject_machines AS
    (
        SELECT t.kind AS kind, t.topic_id AS topic_id, if(t.kind = 'other', t.topic_type, 0) AS other_type,
            max(c.machines) AS machines
        FROM subject_types AS t
        INNER JOIN concerned AS c ON c.topic_type = t.topic_type AND c.topic_id = t.topic_id
        GROUP BY kind, topic_id, other_type
    )
SELECT s.topic_id, if(s.kind = 'other', s.topic_type, 0) AS topic_type, if(s.title_source = 'derived', '', s.title) AS title,
    s.kind, s.article, s.severity, ifNull(toString(s.released), '') AS released, s.url, s.grp, s.target, s.superseded_by
FROM subjects AS s
LEFT JOIN subject_machines AS m ON m.kind = s.kind AND m.topic_id = s.topic_id
    AND m.other_type = if(s.kind = 'other', s.topic_type, 0)
WHERE {missing:UInt8} = 0 OR s.title_source = 'derived' AND s.title = s.topic_id AND s.kind != 'scan'
ORDER BY NOT (s.title_source = 'derived' AND s.title = s.topic_id AND s.kind != 'scan'), m.machines DESC, s.kind, s.topic_id,
    topic_type
