-- The topic types of the catalog, for pick lists.
SELECT topic_type, any(topic_name) AS name FROM topic_names GROUP BY topic_type ORDER BY topic_type LIMIT 1000
