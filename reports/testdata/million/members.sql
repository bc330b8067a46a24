-- A collection of a tenth of the clients, at most 10,000.
INSERT INTO collection_clients (name, revision, client_id)
SELECT 'tenth', 1, client_id FROM clients_seen ORDER BY client_id LIMIT least(10000, intDiv({clients:UInt32}, 10))
