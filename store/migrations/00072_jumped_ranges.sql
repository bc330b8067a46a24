-- +goose NO TRANSACTION
-- +goose Up
-- jump = 1: the serial above the range is more than 1,000,000 above the one below it.
-- Nobody lost so many messages: such a range is shown, and counted apart.
ALTER TABLE missing_ranges ADD COLUMN IF NOT EXISTS jump UInt8 DEFAULT last_serial - first_serial >= 1000000 - 1;
