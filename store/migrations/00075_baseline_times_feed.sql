-- +goose NO TRANSACTION
-- +goose Up
-- Baselines of before are in baselines only: whoever reads baseline_times adds that.
CREATE MATERIALIZED VIEW IF NOT EXISTS baseline_times_feed TO baseline_times AS
SELECT client_id, accepted_time
FROM baselines;
