-- title: Resyncs by step
-- group: Completeness
-- description: How far the clients that were asked to send everything again got, each client's latest resync: asked for by a person
--   and not issued yet, issued, picked up, answering, completed. Those that an accepted baseline made needless don't count.
-- param days UInt32 = 30 in 1..3650: Count completed resyncs of so many days; of the others, all
-- note oldest: when the resync that has been in this step the longest was issued, or asked for
-- note median_hours: half of them have waited, or took, no longer than this
-- link clients: resyncs?step={step}
-- with: answered
WITH
    asked AS
    (
        SELECT client_id, max(number) AS newest, argMax(issued_time, resyncs.number) AS issued, argMax(next_serial, resyncs.number) AS next
        FROM resyncs FINAL GROUP BY client_id
    ),
    stepped AS
    (
        SELECT
            asked.client_id AS client_id, asked.newest AS number, asked.issued AS issued, asked.next AS next,
            picked.picked_up_time AS picked_up, arrayFirst(t -> t.1 > issued OR t.2 >= next, completed.times).1 AS done, accepted.time AS given_up
        FROM asked
        LEFT JOIN picked ON picked.client_id = asked.client_id AND picked.number = asked.newest
        LEFT JOIN completed ON completed.client_id = asked.client_id
        LEFT JOIN accepted ON accepted.client_id = asked.client_id
    ),
    answering AS
    (
        SELECT m.client_id AS client_id
        FROM
        (
            SELECT client_id, serial, received_time FROM state_messages
            WHERE serial > 0 AND client_id IN (SELECT client_id FROM stepped WHERE toUnixTimestamp64Micro(picked_up) > 0 AND toUnixTimestamp64Micro(done) = 0)
        ) AS m
        INNER JOIN (SELECT client_id, next, picked_up FROM stepped) AS w ON w.client_id = m.client_id
        WHERE m.serial >= w.next AND m.received_time >= w.picked_up
        GROUP BY client_id
    ),
    counted AS
    (
        SELECT
            multiIf(toUnixTimestamp64Micro(done) > 0, 'completed', client_id IN (SELECT client_id FROM answering), 'answering', toUnixTimestamp64Micro(picked_up) > 0, 'picked up', 'issued') AS step,
            count() AS clients,
            toNullable(min(issued)) AS oldest,
            quantile(0.5)(greatest(dateDiff('second', issued, if(toUnixTimestamp64Micro(done) > 0, done, now64(6, 'UTC'))), 0) / 3600) AS median
        FROM stepped
        WHERE if(toUnixTimestamp64Micro(done) = 0, given_up < issued, issued >= now64(6, 'UTC') - toIntervalDay({days:UInt32}))
        GROUP BY step
        UNION ALL
        SELECT 'requested' AS step, count() AS clients, toNullable(min(r.requested_time)) AS oldest,
               quantile(0.5)(greatest(dateDiff('second', r.requested_time, now64(6, 'UTC')), 0) / 3600) AS median
        FROM resync_requests AS r FINAL
        LEFT JOIN asked ON asked.client_id = r.client_id
        LEFT JOIN (SELECT client_id, max(baselines.accepted_time) AS accepted FROM baselines GROUP BY client_id) AS b ON b.client_id = r.client_id
        WHERE r.after_number >= asked.newest AND b.accepted < r.requested_time
        HAVING clients > 0
    )
SELECT
    steps.place.1 AS step,
    counted.clients AS clients,
    counted.oldest AS oldest,
    round(ifNotFinite(counted.median, 0), 1) AS median_hours
FROM (SELECT arrayJoin([('requested', 0), ('issued', 1), ('picked up', 2), ('answering', 3), ('completed', 4)]) AS place) AS steps
LEFT JOIN counted ON counted.step = steps.place.1
ORDER BY steps.place.2
