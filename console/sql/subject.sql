-- What people call a subject, and the rule that decides over whom it is counted.
SELECT kind, topic_type, topic_id, title, title_source, article, severity, released, url, grp AS group, target, superseded_by,
    if(toYear(first_seen) = 1970, NULL, toNullable(first_seen)) AS first_seen,
    multiIf(target != '', 'targeted', kind = 'update', 'scanned', 'reported') AS counted
FROM subjects
WHERE kind = {kind:String} AND topic_id = {topic_id:String}
ORDER BY topic_type
LIMIT 1
