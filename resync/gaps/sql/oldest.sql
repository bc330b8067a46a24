-- How many clients have an open range that counts, and since when the oldest of them is.
SELECT uniqExact(client_id), min(detected_time)
FROM missing_ranges FINAL
WHERE closed = 0 AND jump = 0 AND client_id NOT IN (SELECT client_id FROM retired_clients)
