-- How many of the site's clients that had reported by a time a collection has; no row where there is no such collection.
-- The members of a saved query are as of the latest look.
SELECT
    kind,
    (SELECT max(until) FROM summary_progress WHERE job NOT IN ('history', 'days', 'ttr')) AS looked,
    (SELECT countIf(toUnixTimestamp64Micro(first_report_time) <= {until_us:Int64}) FROM clients_seen FINAL
        WHERE client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String})) AS clients
FROM collections FINAL
WHERE name = {collection:String} AND deleted = 0
