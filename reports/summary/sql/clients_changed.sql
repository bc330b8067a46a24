-- Rows of clients that were loaded since the summary, the newest of them, and how many the summary has written so far.
SELECT count(), max(clients_seen.loaded_time), (SELECT max(version) FROM client_now)
FROM clients_seen
WHERE clients_seen.loaded_time >= (SELECT argMax(until, number) FROM summary_progress WHERE job = 'clients')
