-- How many of the site's clients a collection has; no row where there is no such collection. The members of a saved
-- query are as of the latest look.
SELECT
    kind,
    (SELECT max(until) FROM summary_progress) AS looked,
    (SELECT uniqExact(client_id) FROM clients_seen
        WHERE client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String})) AS clients
FROM collections FINAL
WHERE name = {collection:String} AND deleted = 0
