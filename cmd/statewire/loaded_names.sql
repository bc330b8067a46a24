-- Those of some files of which the store has reports, and whether what was set aside ended with them.
WITH names AS (SELECT arrayJoin(JSONExtract({names:String}, 'Array(String)')) AS name)
SELECT DISTINCT source_file, source_file IN (SELECT replayed_as FROM set_aside_ends WHERE replayed_as IN (SELECT name FROM names)) AS ended
FROM client_reports
WHERE source_file IN (SELECT name FROM names)
