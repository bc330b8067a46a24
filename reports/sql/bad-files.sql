-- title: Bad files
-- group: Site
-- columns: name!, code!, set_aside_time, reason, is, line, column, bytes, path
-- empty: no file was set aside
-- description: Files and reports that could not be read; they lie in the inbox's corrupt folder with their reason
--   beside them until they are loaded again or dropped. `statewire dead list` shows what lies there now.
-- param code String = '': Only this reason code
-- param hours UInt32 = 0 in 0..100000: Only the last so many hours; 0 takes all
-- order: set_aside_time DateTime64(3,'UTC') desc, name String, code String
-- note line: where in the file reading stopped; 0 when that isn't known
-- note is: set aside, replayed, dropped, limit (dropped by ingest.corrupt_limit), or loaded since under its own name
-- note path: below the data directory
SELECT
    b.set_aside_time AS set_aside_time,
    b.name AS name,
    b.code AS code,
    b.reason AS reason,
    b.line AS line,
    b.column AS column,
    b.bytes AS bytes,
    multiIf(e.last_end >= b.set_aside_time, e.how, l.last_load >= b.set_aside_time, 'loaded since', 'set aside') AS is,
    concat('inboxes/auth/statesys.box/corrupt/', b.name) AS path
FROM bad_files AS b FINAL
LEFT JOIN (SELECT name, max(until) AS last_end, argMax(set_aside_ends.how, until) AS how FROM set_aside_ends
    GROUP BY name) AS e ON e.name = b.name
LEFT JOIN
(
    SELECT source_file, max(loaded_time) AS last_load
    FROM client_reports
    WHERE source_file IN (SELECT name FROM bad_files)
    GROUP BY source_file
) AS l ON l.source_file = b.name
WHERE ({code:String} = '' OR b.code = {code:String})
  AND ({hours:UInt32} = 0 OR b.set_aside_time >= now64(3, 'UTC') - toIntervalHour({hours:UInt32}))
