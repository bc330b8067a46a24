-- The groups of subjects, for pick lists.
SELECT DISTINCT grp AS name FROM topic_titles FINAL WHERE deleted = 0 AND grp != '' ORDER BY name LIMIT 500
