-- +goose NO TRANSACTION
-- +goose Up
-- What became of every resync: one row per request, 1970 where something has not happened. A request ends once: completed, accepted (a
-- person accepted a baseline), unanswered (it expired before), or replaced by the client's next request before it expired. What comes
-- after its end belongs to another request or to none; but one that expired and is completed after all is late.
--   A completion belongs to the latest request under whose serials it is: serials tell what came first, clocks are set. Only a serial
--   below those of every request, of a counter that went back, leaves it to the time: then it is the latest request issued before it.
--   What comes before a client has the request is no answer to it.
--   Every table is read as seldom as can be: planning to read a table takes 5 ms, whatever it holds.
DROP VIEW IF EXISTS resync_outcomes;
CREATE VIEW IF NOT EXISTS resync_outcomes AS
WITH
    -- requests: number, time of issue, reason, issuer, next serial; completions: serial, arrival.
    asked AS
    (
        SELECT
            r.client_id AS client_id, request.1 AS number, request.2 AS issued_time, request.3 AS reason, request.4 AS issued_by, request.5 AS next_serial,
            arrayFirst(o -> o.1 = request.1 + 1, r.requests) AS later,
            arraySort(arrayMap(m -> m.2, arrayFilter(m -> request.1 = if(m.1 >= arrayMin(o -> o.5, r.requests),
                arrayMax(o -> if(m.1 >= o.5, o.1, 0), r.requests), arrayMax(o -> if(m.2 > o.2, o.1, 0), r.requests)), c.completions)))[1] AS completed
        FROM
        (
            SELECT client_id, groupArray((number, issued_time, CAST(resyncs.reason, 'String'), issued_by, next_serial)) AS requests
            FROM resyncs FINAL GROUP BY client_id
        ) AS r
        LEFT JOIN
        (
            SELECT client_id, groupArray((serial, received_time)) AS completions FROM completions_data FINAL GROUP BY client_id
        ) AS c ON c.client_id = r.client_id
        ARRAY JOIN r.requests AS request
    ),
    known AS
    (
        SELECT
            a.client_id AS client_id, a.number AS number, a.issued_time AS issued_time, a.reason AS reason, a.issued_by AS issued_by,
            a.next_serial AS next_serial, p.picked_up_time AS picked_up_time, a.later.2 AS replaced_time, a.completed AS completed,
            arraySort(arrayFilter(t -> t >= a.issued_time AND (a.later.1 = 0 OR t < a.later.2), b.times))[1] AS accepted,
            x.expired_time AS expired,
            toUnixTimestamp64Micro(expired) > 0 AND (a.later.1 = 0 OR expired <= a.later.2) AS expires,
            multiIf(
                toUnixTimestamp64Micro(completed) > 0 AND (NOT expires OR completed <= expired)
                    AND (toUnixTimestamp64Micro(accepted) = 0 OR completed <= accepted), 'completed',
                toUnixTimestamp64Micro(accepted) > 0 AND (NOT expires OR accepted <= expired), 'accepted',
                expires AND toUnixTimestamp64Micro(completed) > 0, 'late',
                expires, 'unanswered',
                a.later.1 > 0, 'replaced',
                toUnixTimestamp64Micro(p.picked_up_time) > 0, 'picked up',
                'issued') AS reached
        FROM asked AS a
        LEFT JOIN (SELECT client_id, number, picked_up_time FROM resync_pickups FINAL) AS p ON p.client_id = a.client_id AND p.number = a.number
        LEFT JOIN (SELECT client_id, number, expired_time FROM resync_expiries FINAL) AS x ON x.client_id = a.client_id AND x.number = a.number
        LEFT JOIN
        (
            SELECT client_id, groupArray(accepted_time) AS times
            FROM (SELECT client_id, accepted_time FROM baseline_times UNION ALL SELECT client_id, max(baselines.accepted_time) FROM baselines GROUP BY client_id)
            GROUP BY client_id
        ) AS b ON b.client_id = a.client_id
    ),
    -- An answer repeats what the client sent before: the same message, by its hash, comes again under a serial of the answer. News that
    -- a client sends although it was asked are none. Of a client that owes an answer all requests are looked at, and one counts.
    again AS
    (
        SELECT m.client_id AS client_id, w.number AS number,
               minIf(m.received_time, m.serial >= w.next_serial AND m.received_time >= w.picked_up_time) AS came
        FROM
        (
            SELECT client_id, serial, received_time, payload_hash FROM state_messages
            WHERE serial > 0 AND client_id IN (SELECT client_id FROM known WHERE reached = 'picked up')
        ) AS m
        INNER JOIN
        (
            SELECT p.client_id AS client_id, p.number AS number, r.next_serial AS next_serial, p.picked_up_time AS picked_up_time
            FROM (SELECT client_id, number, picked_up_time FROM resync_pickups FINAL) AS p
            INNER JOIN (SELECT client_id, number, next_serial FROM resyncs FINAL) AS r ON r.client_id = p.client_id AND r.number = p.number
        ) AS w ON w.client_id = m.client_id
        GROUP BY client_id, number, m.payload_hash
        HAVING countIf(m.serial < w.next_serial) > 0 AND countIf(m.serial >= w.next_serial AND m.received_time >= w.picked_up_time) > 0
    ),
    answers AS (SELECT client_id, number, min(came) AS answering_time FROM again GROUP BY client_id, number)
SELECT
    k.client_id AS client_id,
    k.number AS number,
    k.issued_time AS issued_time,
    k.reason AS reason,
    k.issued_by AS issued_by,
    k.next_serial AS next_serial,
    k.picked_up_time AS picked_up_time,
    if(k.reached = 'picked up', w.answering_time, toDateTime64(0, 6, 'UTC')) AS answering_time,
    if(k.reached IN ('completed', 'late'), k.completed, toDateTime64(0, 6, 'UTC')) AS completed_time,
    if(k.reached = 'accepted', k.accepted, toDateTime64(0, 6, 'UTC')) AS accepted_time,
    if(k.reached = 'replaced', k.replaced_time, toDateTime64(0, 6, 'UTC')) AS replaced_time,
    if(k.reached IN ('unanswered', 'late'), k.expired, toDateTime64(0, 6, 'UTC')) AS expired_time,
    if(toUnixTimestamp64Micro(answering_time) > 0, 'answering', k.reached) AS step
FROM known AS k
LEFT JOIN answers AS w ON w.client_id = k.client_id AND w.number = k.number;
