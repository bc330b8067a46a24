-- The ranges that are open, the oldest first.
SELECT client_id, first_serial, last_serial, detected_time, jump
FROM missing_ranges FINAL
WHERE closed = 0 AND client_id NOT IN (SELECT client_id FROM retired_clients)
ORDER BY detected_time, client_id, first_serial
