-- +goose NO TRANSACTION
-- +goose Up
-- What was told before.
INSERT INTO client_scans (client_id, last_scan, wrong_clock)
SELECT
    client_id,
    if(late, toDateTime64(0, 3, 'UTC'), scanned) AS last_scan,
    if(late, received_time, toDateTime64(0, 6, 'UTC')) AS wrong_clock
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
);
INSERT INTO client_scans (client_id, last_scan, wrong_clock)
SELECT
    client_id,
    if(late, toDateTime64(0, 3, 'UTC'), scanned) AS last_scan,
    if(late, received_time, toDateTime64(0, 6, 'UTC')) AS wrong_clock
FROM
(
    SELECT
        client_id,
        received_time,
        least(message_time, if(match(params[2], '^\\d{4}-\\d\\d-\\d\\dT'),
            ifNull(parseDateTime64BestEffortOrNull(params[2], 3, 'UTC'), message_time), message_time)) AS scanned,
        scanned > received_time + toIntervalMinute(5) AS late
    FROM current_states_data
    WHERE topic_type = 501 AND state_id = 3
);
