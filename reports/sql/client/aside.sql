-- Records of one client that were set aside as bad, the latest first; all_records counts those beyond the limit too. One whose
-- serial was stored since was mended: it lacks no more.
SELECT serial, code, reason, source_file, report_index, record_index, line, column, received_time, set_aside_time, count() OVER () AS all_records
FROM set_aside_records FINAL
WHERE client_id = {client:UUID} AND ({serial:UInt64} = 0 OR serial = {serial:UInt64})
  AND ifNull(serial, 0) NOT IN (SELECT serial FROM state_messages WHERE client_id = {client:UUID} AND serial > 0)
ORDER BY received_time DESC, source_file, report_index, record_index
LIMIT 20
