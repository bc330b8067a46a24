-- +goose NO TRANSACTION
-- +goose Up
-- How often a server started, when a report of presence came of it last (1970: never), and whether it is silent: then
-- nothing is known of its clients.
ALTER TABLE notification_servers
    ADD COLUMN IF NOT EXISTS epoch UInt64,
    ADD COLUMN IF NOT EXISTS reported_time DateTime64(6, 'UTC'),
    ADD COLUMN IF NOT EXISTS silent UInt8;
