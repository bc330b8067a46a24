-- What a baseline for these clients, or for all, would settle, as of the last check.
WITH (SELECT count() FROM open_conflicts WHERE {all:UInt8} OR client_id IN ({clients:Array(UUID)})) AS conflicts
SELECT count() AS ranges, sum(toFloat64(last_serial - first_serial) + 1) AS messages, conflicts
FROM missing_ranges FINAL
WHERE closed = 0 AND ({all:UInt8} OR client_id IN ({clients:Array(UUID)}))
