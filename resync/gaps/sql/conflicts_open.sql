-- How many conflicts are open.
SELECT count() FROM open_conflicts WHERE client_id NOT IN (SELECT client_id FROM retired_clients)
