-- What a baseline for these clients would settle, as of the last check.
SELECT
    (SELECT count() FROM missing_ranges FINAL WHERE closed = 0 AND client_id IN ({clients:Array(UUID)})) AS ranges,
    (SELECT sum(toFloat64(last_serial - first_serial) + 1) FROM missing_ranges FINAL WHERE closed = 0 AND client_id IN ({clients:Array(UUID)})) AS messages,
    (SELECT count() FROM open_conflicts WHERE client_id IN ({clients:Array(UUID)})) AS conflicts
