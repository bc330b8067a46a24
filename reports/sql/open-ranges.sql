-- title: Open ranges by age
-- group: Completeness
-- columns: missing_for!, messages!, clients, ranges, from_hours, to_hours
-- empty: no message is missing
-- description: How many ranges of messages are missing, by how long they have been missing, with the messages in them
--   and the clients they belong to, as of the last gap check.
-- note missing_for: since the first gap check that saw any of the range missing
-- note clients: a client with ranges of several ages counts in each
-- link ranges: missing-ranges?min_age_hours={from_hours}&max_age_hours={to_hours}
WITH
    steps AS
    (
        SELECT
            arrayJoin([
                ('under 1 hour', 0, 1), ('1 to 24 hours', 1, 24), ('1 to 2 days', 24, 48), ('2 to 7 days', 48, 168),
                ('7 to 30 days', 168, 720), ('over 30 days', 720, 1000000)]) AS step
    ),
    counted AS
    (
        SELECT
            multiIf(hours < 1, 0, hours < 24, 1, hours < 48, 24, hours < 168, 48, hours < 720, 168, 720) AS from_hours,
            count() AS ranges,
            sum(toFloat64(messages)) AS messages_sum,
            uniqExact(client_id) AS clients
        FROM
        (
            SELECT ClientID AS client_id, LastSerial - FirstSerial + 1 AS messages,
                dateDiff('second', DetectedTime, now64(3, 'UTC')) / 3600 AS hours
            FROM SR_MissingMessageRanges
            WHERE SerialJump = 0
        )
        GROUP BY from_hours
    )
SELECT
    step.1 AS missing_for,
    toUInt32(step.2) AS from_hours,
    toUInt32(step.3) AS to_hours,
    counted.ranges AS ranges,
    counted.messages_sum AS messages,
    counted.clients AS clients
FROM steps
LEFT JOIN counted ON toUInt32(counted.from_hours) = toUInt32(step.2)
ORDER BY from_hours
