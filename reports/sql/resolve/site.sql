-- How many clients the site has.
SELECT count() AS clients
FROM clients_seen FINAL
WHERE client_id NOT IN (SELECT client_id FROM retired_clients)
