-- Records of one client that were set aside as bad, the latest first, and what became of each: how is empty while it
-- lies in corrupt. all_records counts those beyond the limit too, lying those of them that lie there. One whose serial
-- was stored since was mended: it lacks no more. Nor does one that was replayed and has no readable serial, or was set
-- aside again.
WITH
    records AS
    (
        SELECT *, if(kept_as != '', kept_as, concat(source_file, '.', toString(record_index), '.SMX')) AS name
        FROM set_aside_records FINAL
        WHERE client_id = {client:UUID} AND ({serial:UInt64} = 0 OR serial = {serial:UInt64})
    )
SELECT r.serial AS serial, r.code AS code, r.reason AS reason, r.source_file AS source_file,
    r.report_index AS report_index,
    r.record_index AS record_index, r.line AS line, r.column AS column, r.received_time AS received_time,
    r.set_aside_time AS set_aside_time, e.how AS how, e.by AS by, e.reason AS why, e.time AS end_time,
    count() OVER () AS all_records, countIf(e.how = '') OVER () AS lying
FROM records AS r
ASOF LEFT JOIN
(
    SELECT name, until, how, by, reason, time, replayed_as
    FROM set_aside_ends FINAL
    WHERE name IN (SELECT name FROM records)
) AS e ON e.name = r.name AND e.until >= r.set_aside_time
WHERE ifNull(r.serial, 0) NOT IN (SELECT serial FROM state_messages WHERE client_id = {client:UUID} AND serial > 0)
  AND NOT (e.how = 'replayed' AND (r.serial IS NULL
      OR (e.replayed_as, r.serial) IN (SELECT source_file, serial FROM records)))
ORDER BY received_time DESC, source_file, report_index, record_index
LIMIT 20
