-- Whether a client is in a list: one row if it is.
SELECT 1
FROM collection_clients
WHERE name = {name:String} AND revision = {revision:UInt64} AND client_id = {client:UUID}
LIMIT 1
