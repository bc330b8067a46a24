-- +goose NO TRANSACTION
-- +goose Up
CREATE VIEW IF NOT EXISTS SR_ClientMessageStats AS
SELECT
    stats.client_id AS ClientID,
    CAST(stats.last_serial, 'UInt64') AS LastSerialNumber,
    stats.last_message_time AS LastMessageTime,
    issued.time AS LastResyncIssuedTime,
    completed.time AS LastResyncClientCompletedTime
FROM
(
    SELECT client_id, max(client_stats_data.last_serial) AS last_serial, argMaxMerge(last_message) AS last_message_time
    FROM client_stats_data
    GROUP BY client_id
) AS stats
LEFT JOIN
(
    SELECT client_id, toNullable(max(issued_time)) AS time FROM resyncs GROUP BY client_id
) AS issued ON issued.client_id = stats.client_id
LEFT JOIN
(
    SELECT client_id, toNullable(max(received_time)) AS time FROM completions_data FINAL GROUP BY client_id
) AS completed ON completed.client_id = stats.client_id;
