-- What decides for every machine at once: of which class states are, what has a target and who is in it, and which group it is of.
SELECT cityHash64(
    (SELECT (count(), argMax(classes_hash, class_loads.loaded_time)) FROM class_loads),
    (
        SELECT groupBitXor(cityHash64(topic_id, topic_type, source, kind, target, grp))
        FROM topic_titles FINAL WHERE deleted = 0 AND (kind != '' OR target != '' OR grp != '')
    ),
    (
        SELECT groupBitXor(cityHash64(name, revision))
        FROM collections FINAL
        WHERE deleted = 0 AND name IN (SELECT target FROM topic_titles WHERE target != '')
    ),
    (
        SELECT groupBitXor(cityHash64(name, client_id, member))
        FROM collection_now FINAL
        WHERE name IN (SELECT target FROM topic_titles WHERE target != '')
    ))
