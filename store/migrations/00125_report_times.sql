-- +goose NO TRANSACTION
-- +goose Up
-- Reports by when they were loaded: a report of the last hour reads the last hour.
ALTER TABLE client_reports ADD INDEX IF NOT EXISTS loaded_times loaded_time TYPE minmax GRANULARITY 1;
ALTER TABLE client_reports MATERIALIZE INDEX loaded_times;
