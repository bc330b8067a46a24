-- title: Bad files
-- group: Site
-- description: Files that could not be read as reports; they lie in the inbox's corrupt folder with their reason beside them.
-- param code String = '': Only this reason code
-- param hours UInt32 = 0 in 0..100000: Only the last so many hours; 0 takes all
-- order: set_aside_time DateTime64(3,'UTC') desc, name String, code String
-- note line: where in the file reading stopped; 0 when that isn't known
SELECT
    set_aside_time,
    name,
    code,
    reason,
    line,
    column,
    bytes
FROM bad_files FINAL
WHERE ({code:String} = '' OR code = {code:String})
  AND ({hours:UInt32} = 0 OR set_aside_time >= now64(3, 'UTC') - toIntervalHour({hours:UInt32}))
