-- What is known of one subject. A kind that is a number is a topic type, whose ids are subjects by themselves.
SELECT kind, topic_type, topic_id, title, article, severity, released, url, grp, target, superseded_by, origin, first_seen,
    title_source
FROM subjects
WHERE topic_id = {id:String} AND (kind = {kind:String} OR kind = 'other' AND toString(topic_type) = {kind:String})
ORDER BY topic_type
LIMIT 2
