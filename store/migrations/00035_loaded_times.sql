-- +goose NO TRANSACTION
-- +goose Up
-- When rows were loaded: the gap check looks at the clients that changed since the
-- one before. client_stats_data has one row per client once merged, so that they
-- are found without reading every serial. Its report time stands in for the message
-- time of clients of whom no message could be stored.
ALTER TABLE serial_ranges ADD COLUMN IF NOT EXISTS loaded_time DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC');
ALTER TABLE completions_data ADD COLUMN IF NOT EXISTS loaded_time DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC');
ALTER TABLE state_messages ADD INDEX IF NOT EXISTS loaded_times loaded_time TYPE minmax;
ALTER TABLE client_stats_data
    ADD COLUMN IF NOT EXISTS loaded_time SimpleAggregateFunction(max, DateTime64(3, 'UTC')) DEFAULT now64(3, 'UTC'),
    ADD COLUMN IF NOT EXISTS last_report_time SimpleAggregateFunction(max, DateTime64(6, 'UTC'));
ALTER TABLE client_stats_reports_feed
    MODIFY QUERY SELECT client_id, toUInt64(0) AS last_serial, max(received_time) AS last_report_time
    FROM client_reports
    GROUP BY client_id;
