-- +goose NO TRANSACTION
-- +goose Up
-- accepted = 1: a person accepted that this client continues from next_serial.
ALTER TABLE resyncs ADD COLUMN IF NOT EXISTS accepted UInt8 DEFAULT 0;
