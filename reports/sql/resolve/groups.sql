-- The groups that people put subjects into.
SELECT DISTINCT grp AS name FROM topic_titles FINAL WHERE deleted = 0 AND grp != '' ORDER BY name
