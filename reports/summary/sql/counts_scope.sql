-- The clients of the site.
SELECT uniqExact(client_id) FROM clients_seen WHERE client_id NOT IN (SELECT client_id FROM retired_clients)
