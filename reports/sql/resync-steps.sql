-- title: Resyncs by step
-- group: Completeness
-- columns: step!, clients!, oldest, median_hours
-- empty: nobody was asked to send everything again
-- description: How far the clients that were asked to send everything again got, each client's latest resync: asked for
--   by a person and not issued yet, issued, picked up, answering, completed, unanswered in time, completed late. Those
--   that an accepted baseline made needless don't count.
-- param days UInt32 = 30 in 1..3650: Count resyncs that are over of so many days; of the others, all
-- note oldest: when the resync that has been in this step the longest was issued, or asked for
-- note median_hours: half of them have waited, or took, no longer than this
-- link clients: resyncs?step={step}
WITH
    asked AS
    (
        SELECT client_id, max(number) AS newest, argMax(step, number) AS step, argMax(issued_time, number) AS issued,
            argMax(if(toUnixTimestamp64Micro(completed_time) > 0, completed_time, expired_time), number) AS done
        FROM resync_outcomes GROUP BY client_id
    ),
    counted AS
    (
        SELECT
            step,
            count() AS clients,
            toNullable(min(issued)) AS oldest,
            quantile(0.5)(greatest(dateDiff('second', issued,
                if(toUnixTimestamp64Micro(done) > 0, done, now64(6, 'UTC'))), 0) / 3600) AS median
        FROM asked
        WHERE step != 'accepted' AND (step NOT IN ('completed', 'unanswered', 'late')
            OR issued >= now64(6, 'UTC') - toIntervalDay({days:UInt32}))
        GROUP BY step
        UNION ALL
        SELECT 'requested' AS step, count() AS clients, toNullable(min(r.requested_time)) AS oldest,
               quantile(0.5)(greatest(dateDiff('second', r.requested_time, now64(6, 'UTC')), 0) / 3600) AS median
        FROM resync_requests AS r FINAL
        LEFT JOIN asked ON asked.client_id = r.client_id
        LEFT JOIN (SELECT client_id, max(baselines.accepted_time) AS accepted FROM baselines GROUP BY client_id) AS b
            ON b.client_id = r.client_id
        WHERE r.after_number >= asked.newest AND b.accepted < r.requested_time
        HAVING clients > 0
    )
SELECT
    steps.place.1 AS step,
    counted.clients AS clients,
    counted.oldest AS oldest,
    round(ifNotFinite(counted.median, 0), 1) AS median_hours
FROM (SELECT arrayJoin([('requested', 0), ('issued', 1), ('picked up', 2), ('answering', 3), ('completed', 4),
    ('unanswered', 5), ('late', 6)]) AS place) AS steps
LEFT JOIN counted ON counted.step = steps.place.1
ORDER BY steps.place.2
