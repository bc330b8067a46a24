-- Clients that said something of subjects of one kind, by class; and how they would count had they said nothing.
SELECT
    n,
    d,
    countIf(inside AND class = 1) AS good,
    countIf(inside AND class = 2) AS bad,
    countIf(inside AND class = 3) AS pending,
    countIf(inside AND class = 4) AS restart,
    countIf(inside AND class = 5) AS failed,
    countIf(inside AND class = 6) AS na_said,
    countIf(inside AND class = 7) AS said_unknown,
    countIf(inside AND class = 8) AS other,
    countIf(NOT inside) AS outside_spoke,
    countIf(inside AND silent) AS stale,
    countIf(asked AND silent) AS asked_silent,
    arrayMap(c -> toUInt64(c), [countIf(would = 1), countIf(would = 2), countIf(would = 3), countIf(would = 4),
        countIf(would = 5), countIf(would = 6), countIf(would = 7), countIf(would = 8), countIf(would = 9)]) AS asked_as,
    maxIf(newest_ms, inside) AS newest,
    minIf(since_ms, inside AND class IN (2, 3, 4, 5)) AS oldest_bad
FROM
(
SELECT told.n AS n, told.d AS d, told.class AS class, told.newest_ms AS newest_ms, told.since_ms AS since_ms, st.inside AS inside,
    st.silent AS silent, st.asked AS asked,
    toUInt8(multiIf(NOT asked, 0, {target:String} = '' AND scan >= seen AND NOT gap, 9, cause > 0, cause,
        {kind:String} = 'update' AND scan < seen, 7, 8)) AS would
FROM
(
    SELECT
        n,
        d,
        client_id,
        {seen:Array(Int64)}[n] AS seen,
        -- Each number is place, class and time, or serial, time and class: the least or greatest of numbers costs a
        -- quarter of argMin and argMax over them.
        minIf(lead, lead > 0) AS leads,
        maxIf(detail, lead = 0) AS details,
        maxIf(detail, lead = 0 AND code IN (3, 4, 5)) AS works,
        toUInt8(bitAnd(bitShiftRight(leads, 52), 15)) AS led,
        toUInt8(multiIf(leads = 0, details % 16, led = 2 AND works > 0, works % 16, led)) AS class,
        if(leads > 0, toInt64(bitAnd(leads, 4503599627370495)),
            toInt64(bitShiftRight(bitAnd(details, 18446744073709551615), 4))) - 4398046511104 AS since_ms,
        max(ms) AS newest_ms
    FROM
    (
        SELECT
            transform(topic_id, arrayMap(i -> unhex(i), {ids:Array(String)}), {numbers:Array(UInt32)}, toUInt32(0)) AS n,
            d,
            client_id,
            toUInt64(indexOf({leading:Array(UInt32)}, topic_type)) AS place,
            toUnixTimestamp64Milli(message_time) AS ms,
            toUInt64(ms + 4398046511104) AS at, -- never below 0
            toUInt64(multiIf(c.code > 0, c.code, {kind:String} = 'other', 8, 7)) AS code,
            if(place > 0, bitShiftLeft(place, 56) + bitShiftLeft(code, 52) + at, 0) AS lead,
            bitShiftLeft(toUInt128(serial), 64) + toUInt128(at * 16 + code) AS detail
        FROM states AS s
        ANY LEFT JOIN
        (
            SELECT topic_type, state_id, indexOf(['good', 'bad', 'pending', 'restart', 'failed', 'not_applicable',
                'said_unknown', 'other'], class) AS code
            FROM classes
        ) AS c ON c.topic_type = s.topic_type AND c.state_id = s.state_id
    )
    GROUP BY n, d, client_id
) AS told
INNER JOIN
(
    SELECT client_id, d, inside, asked, silent, scan, gap, cause FROM standing
) AS st ON st.client_id = told.client_id AND st.d = told.d
)
GROUP BY n, d
