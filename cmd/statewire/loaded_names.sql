-- Those of some files of which the store has reports.
SELECT DISTINCT source_file
FROM client_reports
WHERE source_file IN (SELECT arrayJoin(JSONExtract({names:String}, 'Array(String)')))
