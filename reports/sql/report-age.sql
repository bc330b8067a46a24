-- title: Clients by age of their last report
-- group: Clients
-- columns: last_report!, clients!, percent, from_hours, to_hours
-- empty: no client has reported yet
-- description: How many clients reported within the last hour, the last day and so on.
-- param collection String = '': Only members of this collection
-- note percent: of all clients known to the site, or of the members of the collection
-- link clients: clients?min_age_hours={from_hours}&max_age_hours={to_hours}&collection={collection}
WITH
    (SELECT count() FROM clients_seen FINAL
        WHERE client_id NOT IN (SELECT client_id FROM retired_clients)
          AND ({collection:String} = ''
               OR client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String}))) AS all_clients,
    steps AS
    (
        SELECT
            arrayJoin([
                ('under 1 hour', 0, 1), ('1 to 4 hours', 1, 4), ('4 to 24 hours', 4, 24), ('1 to 7 days', 24, 168),
                ('7 to 30 days', 168, 720), ('over 30 days', 720, 1000000)]) AS step
    ),
    counted AS
    (
        -- A clock that went back can leave a report in the future; it counts as fresh.
        SELECT multiIf(hours < 1, 0, hours < 4, 1, hours < 24, 4, hours < 168, 24, hours < 720, 168, 720) AS from_hours,
            count() AS clients
        FROM (SELECT dateDiff('second', last_report_time, now64(3, 'UTC')) / 3600 AS hours FROM clients_seen FINAL
            WHERE client_id NOT IN (SELECT client_id FROM retired_clients)
          AND ({collection:String} = ''
               OR client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String})))
        GROUP BY from_hours
    )
SELECT
    step.1 AS last_report,
    toUInt32(step.2) AS from_hours,
    toUInt32(step.3) AS to_hours,
    counted.clients AS clients,
    round(100 * clients / greatest(all_clients, 1), 1) AS percent
FROM steps
LEFT JOIN counted ON toUInt32(counted.from_hours) = toUInt32(step.2)
ORDER BY from_hours
