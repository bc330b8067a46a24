-- title: Set-aside files that came to an end
-- group: Site
-- columns: name!, how!, time, by, reason, code, records, replayed, dropped, replayed_as, bytes, client_id
-- empty: nothing that was set aside was replayed or dropped
-- description: What was set aside and then replayed, or dropped by a person or by a limit: who wanted it, when, and
--   why.
-- param how String = '': Only replayed, dropped (by a person) or limit (ingest.corrupt_limit, ingest.corrupt_age)
-- param hours UInt32 = 0 in 0..100000: Only the last so many hours; 0 takes all
-- order: time DateTime64(3,'UTC') desc, name String, _until DateTime64(6,'UTC')
-- note records: set-aside records that it held; 0 for a file that could not be read
-- note replayed: records that were loaded again, mended or not
-- note dropped: records that nobody will see again
SELECT
    time,
    how,
    name,
    code,
    records,
    replayed,
    dropped,
    by,
    reason,
    replayed_as,
    bytes,
    if(client_id = toUUID('00000000-0000-0000-0000-000000000000'), NULL, client_id) AS client_id,
    until AS _until
FROM set_aside_ends FINAL
WHERE ({how:String} = '' OR how = {how:String})
  AND ({hours:UInt32} = 0 OR time >= now64(3, 'UTC') - toIntervalHour({hours:UInt32}))
