-- title: Throughput per minute
-- group: Site
-- columns: minute!, messages!, reports, lag_seconds, set_aside, slowest_seconds
-- empty: nothing was loaded within that time
-- description: Reports and messages stored in each of the last minutes, and how long they took from arrival to store.
-- param minutes UInt32 = 60 in 1..10080: How many minutes to look back
-- lines: minute, messages, reports
-- note messages: as stored, with repeats of messages already known
-- note lag_seconds: median time from a report's arrival to its rows being stored
-- note slowest_seconds: the longest such time
WITH
    toStartOfMinute(now('UTC')) AS last_minute,
    last_minute - toIntervalMinute({minutes:UInt32} - 1) AS first_minute,
    arrived AS
    (
        -- A report loaded again after a crash has a second row until merged; it counts once.
        SELECT min(loaded_time) AS loaded, min(received_time) AS received, any(messages) AS messages,
            any(set_aside) AS set_aside
        FROM client_reports
        WHERE loaded_time >= first_minute
        GROUP BY received_time, source_file, report_index
    ),
    counted AS
    (
        SELECT
            toStartOfMinute(loaded) AS minute,
            count() AS reports,
            sum(messages) AS messages,
            sum(set_aside) AS set_aside,
            round(quantile(0.5)(greatest(dateDiff('millisecond', received, loaded), 0)) / 1000, 1) AS lag,
            round(max(greatest(dateDiff('millisecond', received, loaded), 0)) / 1000, 1) AS slowest
        FROM arrived
        GROUP BY minute
    )
SELECT
    every.minute AS minute,
    counted.reports AS reports,
    counted.messages AS messages,
    counted.set_aside AS set_aside,
    counted.lag AS lag_seconds,
    counted.slowest AS slowest_seconds
FROM (SELECT first_minute + toIntervalMinute(number) AS minute FROM numbers({minutes:UInt32})) AS every
LEFT JOIN counted ON counted.minute = every.minute
ORDER BY minute
