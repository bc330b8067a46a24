-- Resyncs of one client with the times of their steps, the latest first; a step that has not been reached is 1970.
SELECT number, issued_time AS issued, reason, issued_by, next_serial, picked_up_time AS picked_up, answering_time AS answering, completed_time, step
FROM resync_outcomes
WHERE client_id = {client:UUID}
ORDER BY number DESC
LIMIT 20
