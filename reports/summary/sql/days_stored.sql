-- The counts of a day as they stand.
SELECT CAST(kind, 'String'), topic_id, topic_type, CAST(counted, 'String'), good, bad, pending, restart, failed, na_said,
    na_implied, said_unknown, CAST(not_known, 'Map(String, UInt64)'), other, outside, outside_spoke, stale, scope_clients,
    toUnixTimestamp64Micro(first_seen), toUnixTimestamp64Milli(newest),
    ifNull(toUnixTimestamp64Milli(oldest_bad), toInt64(0)), deleted, (SELECT max(version) FROM subject_days)
FROM subject_days FINAL
WHERE day = {day:Date}
