-- +goose NO TRANSACTION
-- +goose Up
-- Status messages have numbers; 0 is a heartbeat.
ALTER TABLE component_status ADD COLUMN IF NOT EXISTS message_id UInt32;
