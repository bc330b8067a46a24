-- Groups whose name begins with a text.
SELECT DISTINCT grp AS name FROM topic_titles FINAL
WHERE deleted = 0 AND grp != '' AND startsWith(grp, {begun:String}) ORDER BY name LIMIT 100
