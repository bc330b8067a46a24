-- The clients of a list that are not retired.
SELECT DISTINCT client_id
FROM collection_clients
WHERE name = {name:String} AND revision = {revision:UInt64}
  AND client_id NOT IN (SELECT client_id FROM retired_clients)
ORDER BY client_id
