-- How many clients the site has that had reported by a time.
SELECT countIf(toUnixTimestamp64Micro(first_report_time) <= {until_us:Int64}) AS clients
FROM clients_seen FINAL
WHERE client_id NOT IN (SELECT client_id FROM retired_clients)
