-- The clients of a list.
SELECT DISTINCT client_id
FROM collection_clients
WHERE name = {name:String} AND revision = {revision:UInt64}
ORDER BY client_id
