-- +goose NO TRANSACTION
-- +goose Up
DROP VIEW IF EXISTS SR_ClientMessageStats;
CREATE VIEW IF NOT EXISTS SR_ClientMessageStats AS
SELECT
    stats.client_id AS ClientID,
    CAST(stats.last_serial, 'UInt64') AS LastSerialNumber,
    if(toUnixTimestamp64Milli(stats.last_message_time) = 0, CAST(stats.last_report_time, 'DateTime64(3, \'UTC\')'), stats.last_message_time) AS LastMessageTime,
    issued.time AS LastResyncIssuedTime,
    completed.time AS LastResyncClientCompletedTime
FROM
(
    SELECT client_id, max(client_stats_data.last_serial) AS last_serial, argMaxMerge(last_message) AS last_message_time,
           max(client_stats_data.last_report_time) AS last_report_time
    FROM client_stats_data
    GROUP BY client_id
) AS stats
LEFT JOIN
(
    SELECT client_id, toNullable(max(issued_time)) AS time FROM resyncs FINAL GROUP BY client_id
) AS issued ON issued.client_id = stats.client_id
LEFT JOIN
(
    SELECT client_id, toNullable(max(received_time)) AS time FROM completions_data FINAL GROUP BY client_id
) AS completed ON completed.client_id = stats.client_id;
