-- The first client of every stretch of serial_ranges, in order.
SELECT client_id
FROM mergeTreeIndex(currentDatabase(), 'serial_ranges')
ORDER BY client_id
