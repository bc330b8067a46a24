-- Open conflicts of one client, the latest first.
SELECT serial, kind, received_time, detected_time
FROM open_conflicts
WHERE client_id = {client:UUID}
ORDER BY received_time DESC, serial DESC
LIMIT 200
