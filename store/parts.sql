-- The parts that hold rows now; newest is the time of their newest row, as far as the partition key tells it.
SELECT
    table,
    partition_id,
    min_block_number,
    max_block_number,
    toInt64(data_version),
    rows,
    toInt64(toUnixTimestamp(if(max_time > 0, max_time, modification_time))),
    path
FROM system.parts
WHERE active AND rows > 0 AND database = currentDatabase() AND table != 'store_marks'
ORDER BY table, partition_id, min_block_number
