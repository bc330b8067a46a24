-- title: What was set aside, by reason
-- group: Site
-- columns: kind!, code!, count!, latest, example
-- empty: nothing was set aside
-- description: Bad files and bad records counted by their reason code, the most frequent first.
-- param hours UInt32 = 24 in 0..100000: Only the last so many hours; 0 takes all
-- order: count UInt64 desc, kind String, code String
-- note example: the reason of the latest one
SELECT
    kind,
    code,
    count() AS count,
    max(at) AS latest,
    argMax(reason, at) AS example
FROM
(
    SELECT 'file' AS kind, code, reason, set_aside_time AS at FROM bad_files FINAL
    UNION ALL
    SELECT 'record' AS kind, code, reason, set_aside_time AS at FROM set_aside_records FINAL
)
WHERE {hours:UInt32} = 0 OR at >= now64(3, 'UTC') - toIntervalHour({hours:UInt32})
GROUP BY kind, code
