-- +goose NO TRANSACTION
-- +goose Up
-- What people call a topic type, beside the catalog's constant. A generation that an earlier version loaded has none; the
-- catalog is loaded anew once.
ALTER TABLE state_catalog ADD COLUMN IF NOT EXISTS topic String;
