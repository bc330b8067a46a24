-- What persons said, deleted rows included, with the version of each.
SELECT topic_id, topic_type, title, CAST(kind, 'String') AS kind, article, CAST(severity, 'String') AS severity,
    ifNull(toString(released), '') AS released, url, grp, target, superseded_by, deleted, version
FROM topic_titles FINAL
WHERE source = 'file' AND ({topic_id:String} = '' OR topic_id = {topic_id:String})
