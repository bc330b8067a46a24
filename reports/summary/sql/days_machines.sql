-- Of a part of the clients, by the end of each day: how many had at least one subject in each set of classes, by kind and
-- over all kinds (machine). The set is a number: bit 1 is good, 2 bad and so on. What clients had said stands before it.
,
    asked AS
    (
        SELECT kind, topic_id, target FROM subjects WHERE kind IN ('update', 'deployment', 'baseline')
    ),
    told AS
    (
        SELECT
            d,
            kind,
            topic_id,
            client_id,
            -- Each number is place and class, or serial, time and class: the least or greatest of numbers costs a quarter
            -- of argMin and argMax over them.
            minIf(lead, lead > 0) AS leads,
            maxIf(detail, lead = 0) AS details,
            maxIf(detail, lead = 0 AND code IN (3, 4, 5)) AS works,
            toUInt8(multiIf(leads = 0, details % 16, leads % 16 = 2 AND works > 0, works % 16, leads % 16)) AS class
        FROM
        (
            SELECT
                d,
                multiIf(topic_type IN (300, 301, 302), 'deployment',
                    topic_id IN (SELECT topic_id FROM asked WHERE kind = 'baseline'), 'baseline', 'update') AS kind,
                topic_id,
                client_id,
                toUInt8(multiIf(kind = 'update', indexOf([500, 400], topic_type), kind = 'baseline', topic_type = 401,
                    topic_type = 300)) AS place,
                toUInt8(if(c.code > 0, c.code, 7)) AS code,
                toUInt8(if(place > 0, place * 16 + code, 0)) AS lead,
                bitShiftLeft(toUInt128(serial), 64)
                    + toUInt128((toUnixTimestamp64Milli(message_time) + 4398046511104) * 16 + code) AS detail
            FROM states AS s
            ANY LEFT JOIN
            (
                SELECT topic_type, state_id,
                    indexOf(['good', 'bad', 'pending', 'restart', 'failed', 'not_applicable', 'said_unknown'], class) AS code
                FROM classes
            ) AS c ON c.topic_type = s.topic_type AND c.state_id = s.state_id
            WHERE kind != 'update' OR topic_type != 401
        )
        GROUP BY d, kind, topic_id, client_id
    )
SELECT d, over, classes, count()
FROM
(
    SELECT d, client_id, if(grouping(kind) = 0, kind, 'machine') AS over, groupBitOr(bitShiftLeft(toUInt64(1), class)) AS classes
    FROM
    (
        SELECT t.d AS d, t.client_id AS client_id, t.kind AS kind, t.class AS class
        FROM told AS t
        INNER JOIN asked AS a ON a.kind = t.kind AND a.topic_id = t.topic_id
        WHERE (a.target = '' OR (a.target, t.client_id) IN
              (SELECT name, client_id FROM collection_members WHERE name IN (SELECT target FROM asked WHERE target != '')))
          AND (t.client_id, t.d) NOT IN
          (
              SELECT client_id, arrayJoin(arrayFilter(i -> toUnixTimestamp64Micro(retired_time) <= {ends:Array(Int64)}[i]
                  AND (state IN ('retired', 'erasing') OR toUnixTimestamp64Micro(ended_time) > {ends:Array(Int64)}[i]),
                  arrayEnumerate({ends:Array(Int64)})))
              FROM client_retirements FINAL
          )
    )
    GROUP BY GROUPING SETS ((d, client_id, kind), (d, client_id))
)
GROUP BY d, over, classes
