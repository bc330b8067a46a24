-- All that is said of an id, in the order that decides.
SELECT CAST(source, 'String') AS source, topic_type, title, CAST(kind, 'String') AS kind, article,
    CAST(severity, 'String') AS severity, ifNull(toString(released), '') AS released, url, grp, target, superseded_by,
    changed_time
FROM topic_titles FINAL
WHERE topic_id = {topic_id:String} AND deleted = 0
ORDER BY indexOf(['file', 'pack', 'agent'], source), topic_type = 0, topic_type
