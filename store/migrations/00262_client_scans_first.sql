-- +goose NO TRANSACTION
-- +goose Up
-- When the first word of a completed scan arrived: from then on the client is one that scans. Of a client whose first one
-- retention had dropped before this column was there, the earliest that is held counts.
ALTER TABLE client_scans ADD COLUMN IF NOT EXISTS
    first_arrival SimpleAggregateFunction(min, DateTime64(6, 'UTC')) DEFAULT toDateTime64('2299-01-01', 6, 'UTC');
DROP VIEW IF EXISTS client_scans_feed;
-- The second parameter is when the package lists were made, where the agent says so: no scan sees more than they hold.
CREATE MATERIALIZED VIEW IF NOT EXISTS client_scans_feed TO client_scans
AS SELECT
    client_id,
    if(late, toDateTime64(0, 3, 'UTC'), scanned) AS last_scan,
    if(late, received_time, toDateTime64(0, 6, 'UTC')) AS wrong_clock,
    received_time AS first_arrival
FROM
(
    SELECT
        client_id,
        received_time,
        least(message_time, if(match(params[2], '^\\d{4}-\\d\\d-\\d\\dT'),
            ifNull(parseDateTime64BestEffortOrNull(params[2], 3, 'UTC'), message_time), message_time)) AS scanned,
        scanned > received_time + toIntervalMinute(5) AS late
    FROM state_messages
    WHERE topic_type = 501 AND state_id = 3
)
COMMENT 'internal';
INSERT INTO client_scans (client_id, first_arrival)
SELECT client_id, min(received_time) FROM state_messages WHERE topic_type = 501 AND state_id = 3 GROUP BY client_id;
INSERT INTO client_scans (client_id, first_arrival)
SELECT client_id, min(received_time) FROM current_states_data WHERE topic_type = 501 AND state_id = 3 GROUP BY client_id;
INSERT INTO client_scans (client_id, first_arrival)
SELECT client_id, toDateTime64(0, 6, 'UTC') FROM client_scans
WHERE client_id NOT IN (SELECT client_id FROM client_scans WHERE first_arrival < toDateTime64('2299-01-01', 6, 'UTC'));
